"""The embedded PostgreSQL, with the real programs: first use, access, adoption, crashes, refusals.

Run by root, everything below runs in the way it does for root (own account, own system folder), and the last tests give up root
for a normal user; run by a normal user, the root-only tests are skipped.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pandawms.domain.errors import Conflict, Invalid, Unavailable
from pandawms.store.embedded import EmbeddedServer, Endpoint, Options, binaries
from pandawms.store.embedded.account import dedicated
from pandawms.store.embedded.binaries import copied
from pandawms.store.embedded.home import Home, existing
from pandawms.store.embedded.processes import identified, is_alive, ours_in, read_pid_file

IS_ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not IS_ROOT, reason="only root starts PostgreSQL under another account")
GENEROUS_SECONDS = 20.0
PROGRAMS = binaries()
DRIVER = """
import email.parser, json, os, sys  # all that is needed is imported before root is given up: Python itself may be in a folder of root's
from pathlib import Path
from pandawms.store.embedded import EmbeddedServer, Options
given = json.loads(sys.argv[1])
paths = {name: Path(given[name]) for name in ("folder", "system_folder", "binaries_prefix") if given.get(name)}
server = EmbeddedServer(Options(port=given.get("port", 0), durable=False, shared_buffers_mb=32, **paths))
if "uid" in given:
    os.setgroups([])
    os.setgid(given["gid"])
    os.setuid(given["uid"])
os.umask(given.get("umask", 0o022))
for line in sys.stdin:
    match line.strip():
        case "start":
            endpoint = server.start()
            print(json.dumps({"dsn": endpoint.dsn, "port": endpoint.port}), flush=True)
        case "running":
            print(json.dumps(server.is_running()), flush=True)
        case "stop":
            server.stop()
            print("{}", flush=True)
"""


class Driver:
    """Another process that has a handle on a server: it can be told what to do, and killed."""

    def __init__(self, *before: str, **given: object) -> None:
        command = [*before, sys.executable, "-c", DRIVER, json.dumps(given)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd="/")

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, object]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the driver ended"
        return dict(json.loads(line))

    def ask(self, word: str) -> dict[str, object]:
        self.tell(word)
        return self.answer()

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def psql(dsn: str, sql: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "10", **variables}
    return subprocess.run([PROGRAMS.bin / "psql", "-XAtc", sql, dsn], env=environment, capture_output=True, text=True, check=False)


def query(dsn: str, sql: str) -> str:
    ended = psql(dsn, sql)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def home_of(options: Options) -> Home:
    home = existing(options)
    assert home is not None
    return home


def postmaster_pid(options: Options) -> int:
    named = read_pid_file(home_of(options).data)
    assert named is not None
    return named.pid


def left_in(home: Home) -> list[object]:
    return list(ours_in(home.data, PROGRAMS.bin / "postgres", home.account))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def long_query(endpoint: Endpoint, sql: str) -> subprocess.Popen[bytes]:
    """A client whose query runs in the server by the time this returns."""
    client = subprocess.Popen([PROGRAMS.bin / "psql", "-XAtc", sql, endpoint.dsn], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    wait_until(lambda: query(endpoint.dsn, active) == "1")
    return client


@pytest.fixture(scope="module")
def system_folder() -> Iterator[Path]:
    """A system folder for this module alone, where a normal user gets through, unlike in pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="panda-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def options(system_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("shared") / "postgres"
    return Options(folder, durable=False, shared_buffers_mb=32, system_folder=system_folder, answer_timeout_seconds=1.0)


@pytest.fixture(scope="module")
def server(options: Options) -> Iterator[EmbeddedServer]:
    """The one server that most tests share; each calls `start`, which adopts it if the test before left it running."""
    server = EmbeddedServer(options)
    yield server
    server.remove()
    assert [path.name for path in options.folder.iterdir()] == ["lock"]


@pytest.fixture
def fresh(options: Options, tmp_path: Path) -> Iterator[Options]:
    """Options for a folder that was never used; what the test makes in it is removed."""
    fresh = replace(options, folder=tmp_path / "postgres")
    yield fresh
    EmbeddedServer(fresh).remove()


def test_first_start_gives_a_database_in_utf8_with_our_settings(server: EmbeddedServer) -> None:
    endpoint = server.start()
    assert server.is_running()
    assert (endpoint.host, endpoint.user, endpoint.database) == ("127.0.0.1", "panda", "panda")
    names = ("server_encoding", "lc_messages", "TimeZone", "jit", "shared_buffers", "max_connections", "wal_compression", "data_checksums")
    told = query(endpoint.dsn, "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)).split("|")
    assert told == ["UTF8", "C", "UTC", "off", "32MB", "100", "pglz", "on"]
    assert query(endpoint.dsn, "SELECT datcollate || datctype FROM pg_database WHERE datname = current_database()") == "CC"


def test_default_options_are_durable(options: Options) -> None:
    defaults = Options(options.folder)
    assert defaults.durable
    assert (defaults.shared_buffers_mb, defaults.max_connections, defaults.port) == (256, 100, 0)


def test_only_who_knows_the_password_gets_in(server: EmbeddedServer) -> None:
    endpoint = server.start()
    by_socket = f"host={endpoint.socket_folder} port={endpoint.port} user=panda dbname=panda"
    by_tcp = f"host=127.0.0.1 port={endpoint.port} user=panda dbname=panda"
    for address in (by_socket, by_tcp):
        assert psql(address, "SELECT 1", PGPASSWORD=endpoint.password).stdout.strip() == "1"
        assert "password authentication failed" in psql(address, "SELECT 1", PGPASSWORD="wrong").stderr
        assert "no password supplied" in psql(address + " password=''", "SELECT 1").stderr
    assert endpoint.password not in repr(endpoint)
    assert len(endpoint.password) >= 40


def test_secrets_and_sockets_are_closed_to_others(server: EmbeddedServer, options: Options) -> None:
    server.start()
    home = home_of(options)
    assert mode(home.password) == 0o600
    assert home.password.stat().st_uid == os.geteuid()
    assert [mode(folder) for folder in (home.sockets, home.data, home.logs)] == [0o700] * 3
    assert not (home.folder / "initdb-password").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net")
def test_it_listens_on_loopback_only(server: EmbeddedServer) -> None:
    port = server.start().port
    lines = [line for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]


def test_it_has_a_session_of_its_own_so_that_a_terminals_interrupt_does_not_reach_it(server: EmbeddedServer, options: Options) -> None:
    server.start()
    assert os.getsid(postmaster_pid(options)) == postmaster_pid(options)


def test_the_versions_are_noted_beside_the_data(server: EmbeddedServer, options: Options) -> None:
    server.start()
    record = json.loads(home_of(options).record.read_text())
    assert record["postgres"] == PROGRAMS.postgres_version
    assert record["folder"] == str(options.folder)
    assert record["pandawms"]


def test_a_second_handle_adopts_the_running_server_and_may_stop_it(server: EmbeddedServer, options: Options) -> None:
    first, pid = server.start(), postmaster_pid(options)
    other = EmbeddedServer(replace(options, port=1))
    assert other.start() == first
    assert postmaster_pid(options) == pid
    assert other.is_running()
    other.stop()
    assert not server.is_running()
    assert not other.is_running()
    assert left_in(home_of(options)) == []


def test_stop_ends_a_running_query_and_stopping_twice_is_no_error(server: EmbeddedServer, options: Options) -> None:
    client = long_query(server.start(), "SELECT pg_sleep(600)")
    server.stop()
    assert client.wait(GENEROUS_SECONDS) != 0
    assert left_in(home_of(options)) == []
    server.stop()


def test_stopping_what_never_ran_makes_nothing(tmp_path: Path, options: Options) -> None:
    EmbeddedServer(replace(options, folder=tmp_path / "never")).stop()
    assert list(tmp_path.iterdir()) == []


def test_stop_ends_a_server_that_does_not_listen_to_signals(server: EmbeddedServer, options: Options) -> None:
    server.start()
    os.kill(postmaster_pid(options), signal.SIGSTOP)
    server.stop(timeout_seconds=0.1)
    assert left_in(home_of(options)) == []


def test_a_server_that_hangs_is_replaced(server: EmbeddedServer, options: Options) -> None:
    server.start()
    pid = postmaster_pid(options)
    os.kill(pid, signal.SIGSTOP)
    endpoint = server.start()
    assert postmaster_pid(options) != pid
    assert query(endpoint.dsn, "SELECT 1") == "1"


def test_a_server_outlives_a_killed_parent_and_is_adopted(server: EmbeddedServer, options: Options) -> None:
    server.stop()
    parent = Driver(folder=str(options.folder), system_folder=str(options.system_folder))
    port = parent.ask("start")["port"]
    pid = postmaster_pid(options)
    parent.end(signal.SIGKILL)
    endpoint = server.start()
    assert endpoint.port == port
    assert postmaster_pid(options) == pid
    assert query(endpoint.dsn, "SELECT 1") == "1"


QUERIES = [None, "SELECT pg_sleep(600)", "SELECT count(*) FROM generate_series(1, 100000000000)"]


@pytest.mark.parametrize("sql", QUERIES, ids=["idle", "sleeping", "busy"])
def test_after_kill_9_it_is_back_with_all_that_was_committed(server: EmbeddedServer, options: Options, sql: str | None) -> None:
    endpoint = server.start()
    query(endpoint.dsn, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    clients = [long_query(endpoint, sql)] if sql else []
    before = left_in(home_of(options))
    os.kill(postmaster_pid(options), signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    began = time.monotonic()
    endpoint = server.start()
    took_seconds = time.monotonic() - began
    print(f"ready again {took_seconds:.2f} s after kill -9")
    assert took_seconds < GENEROUS_SECONDS
    assert query(endpoint.dsn, "SELECT count(*) FROM kept") == "1000"
    assert set(before).isdisjoint(left_in(home_of(options)))
    assert [client.wait(GENEROUS_SECONDS) for client in clients] == [2] * len(clients)


def test_a_pid_file_that_names_somebody_else_is_put_aside_and_nobody_is_hurt(server: EmbeddedServer, options: Options) -> None:
    server.start()
    home = home_of(options)
    text = (home.data / "postmaster.pid").read_text()
    server.stop()
    stranger = home.account.popen(["sleep", "600"], stdin=subprocess.DEVNULL, output=subprocess.DEVNULL)
    (home.data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *text.splitlines()[1:]]) + "\n")
    try:
        assert query(server.start().dsn, "SELECT 1") == "1"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_stranger_in_the_data_folder_is_not_ended_after_a_crash(server: EmbeddedServer, options: Options) -> None:
    server.start()
    home = home_of(options)
    inside: list[str | Path] = ["/bin/sh", "-c", 'cd "$1" && echo there && exec sleep 600', "sh", home.data]
    stranger = home.account.popen(inside, stdin=subprocess.DEVNULL, output=subprocess.PIPE)
    assert stranger.stdout is not None
    assert stranger.stdout.readline() == "there\n"
    os.kill(postmaster_pid(options), signal.SIGKILL)
    try:
        server.start()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_a_foreign_server_on_the_data_folder_is_refused(server: EmbeddedServer, options: Options, tmp_path: Path) -> None:
    server.start()
    server.stop()
    home = home_of(options)
    inside: list[str | Path] = ["/bin/sh", "-c", 'cd "$1" && echo $$ > postmaster.pid && echo there && exec sleep 600', "sh", home.data]
    stranger = home.account.popen(inside, stdin=subprocess.DEVNULL, output=subprocess.PIPE)
    assert stranger.stdout is not None
    assert stranger.stdout.readline() == "there\n"
    try:
        with pytest.raises(Conflict, match=str(stranger.pid)):
            server.start()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_two_first_starts_at_once_give_one_server_and_disturb_no_other(server: EmbeddedServer, fresh: Options) -> None:
    server.start()
    drivers = [Driver(folder=str(fresh.folder), system_folder=str(fresh.system_folder)) for _ in range(3)]
    for driver in drivers:
        driver.tell("start")
    told = [driver.answer()["dsn"] for driver in drivers]
    assert len(set(told)) == 1
    assert query(str(told[0]), "SELECT 1") == "1"
    for driver in drivers:
        driver.end(signal.SIGTERM)
    assert server.is_running()


def test_a_first_use_that_was_broken_off_is_begun_anew(fresh: Options) -> None:
    server = EmbeddedServer(fresh)
    server.start()
    server.stop()
    home = home_of(fresh)
    shutil.copytree(home.data / "base", home.new_data)
    shutil.rmtree(home.data)
    assert query(server.start().dsn, "SELECT 1") == "1"
    assert not home.new_data.exists()
    server.stop()


def test_data_of_another_major_version_is_refused_and_not_touched(server: EmbeddedServer, options: Options) -> None:
    server.start()
    server.stop()
    home = home_of(options)
    version = (home.data / "PG_VERSION").read_text()
    (home.data / "PG_VERSION").write_text("15\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in home.data.rglob("*"))
    try:
        with pytest.raises(Invalid, match=r"made by PostgreSQL 15, .* PostgreSQL 18\.") as caught:
            server.start()
        assert sorted((path, path.stat().st_mtime_ns) for path in home.data.rglob("*")) == before
    finally:
        (home.data / "PG_VERSION").write_text(version)
    assert caught.value.code == "postgres_version"
    assert "pg_upgrade" in str(caught.value.hint)


def test_a_chosen_port_is_used_and_a_taken_one_is_named(server: EmbeddedServer, options: Options) -> None:
    server.stop()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        with pytest.raises(Unavailable, match=str(port)) as caught:
            EmbeddedServer(replace(options, port=port)).start()
        assert caught.value.field == "port"
    chosen = EmbeddedServer(replace(options, port=port))
    assert chosen.start().port == port
    chosen.stop()


def test_settings_given_win_and_bad_ones_are_refused(server: EmbeddedServer, options: Options) -> None:
    server.stop()
    chosen = EmbeddedServer(replace(options, settings={"work_mem": "7MB", "jit": "on", "cluster_name": "it's \\ here"}))
    assert query(chosen.start().dsn, "SHOW work_mem; SHOW jit; SHOW cluster_name").split("\n") == ["7MB", "on", "it's \\ here"]
    chosen.stop()
    for settings in ({"listen_addresses": "*"}, {"x = 1\ny": "2"}, {"work_mem": "1\nport = 1"}):
        with pytest.raises(Invalid) as caught:
            EmbeddedServer(replace(options, settings=settings)).start()
        assert caught.value.code == "postgres_setting"
    with pytest.raises(Unavailable, match="no_such_setting"):
        EmbeddedServer(replace(options, settings={"no_such_setting": "1"})).start()


def test_a_lost_password_file_is_named(server: EmbeddedServer, options: Options) -> None:
    server.stop()
    password = home_of(options).password
    password.rename(password.with_name("kept"))
    try:
        with pytest.raises(Invalid, match=str(password)):
            server.start()
        assert not server.is_running()
    finally:
        password.with_name("kept").rename(password)


def test_sockets_move_to_a_checked_folder_where_the_path_is_too_long(options: Options, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    chosen = replace(options, folder=long / "postgres", system_folder=system_folder_at(long, options))
    server = EmbeddedServer(chosen)
    endpoint = server.start()
    assert endpoint.socket_folder.parent == Path("/tmp")
    assert mode(endpoint.socket_folder) == 0o700
    by_socket = f"host={endpoint.socket_folder} port={endpoint.port} user=panda dbname=panda"
    assert psql(by_socket, "SELECT 1", PGPASSWORD=endpoint.password).stdout.strip() == "1"
    server.stop()
    endpoint.socket_folder.chmod(0o755)
    with pytest.raises(Invalid, match=str(endpoint.socket_folder)):
        server.start()
    server.remove()
    assert not endpoint.socket_folder.exists()


def system_folder_at(long: Path, options: Options) -> Path:
    """As root, the long path must be one that the server's account can reach: pytest's own folder is not."""
    return options.system_folder / long.name if IS_ROOT else options.system_folder


def test_a_folder_that_cannot_be_used_is_named(options: Options, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Invalid, match=str(tmp_path / "file")) as caught:
        EmbeddedServer(replace(options, folder=tmp_path / "file" / "postgres")).start()
    assert caught.value.field == "folder"


@root_only
def test_for_root_the_cluster_is_elsewhere_and_the_folder_asked_for_stays_closed(server: EmbeddedServer, options: Options) -> None:
    closed = options.folder.parent
    closed.chmod(0o700)
    server.start()
    home = home_of(options)
    assert (options.folder / "LOCATION").read_text() == f"{home.folder}\n"
    assert home.folder.parent == options.system_folder
    assert mode(closed) == 0o700
    assert closed.stat().st_uid == 0
    account = pwd.getpwnam(options.account)
    assert home.data.stat().st_uid == account.pw_uid
    assert account.pw_shell.endswith("nologin")
    assert os.stat(f"/proc/{postmaster_pid(options)}").st_uid == account.pw_uid
    groups = next(line for line in Path(f"/proc/{postmaster_pid(options)}/status").read_text().splitlines() if line.startswith("Groups:"))
    assert groups.split()[1:] == []


@root_only
def test_the_copied_programs_belong_to_root_and_appear_whole(tmp_path: Path) -> None:
    copy = copied(PROGRAMS, tmp_path)
    assert copied(PROGRAMS, tmp_path) == copy
    assert copy.postgres_version == PROGRAMS.postgres_version
    assert subprocess.run([copy.bin / "psql", "--version"], check=True, capture_output=True).stdout
    assert [path.name for path in tmp_path.iterdir()] == [PROGRAMS.label]
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {0}
    assert {mode(path) for path in tmp_path.rglob("*")} <= {0o755, 0o644}


@root_only
def test_root_in_a_container_with_a_strict_umask_finds_what_a_crash_left(fresh: Options) -> None:
    """Docker's root may not look into other users' processes (no CAP_SYS_PTRACE)."""
    strict = replace(fresh, system_folder=fresh.system_folder / "strict")
    weaker = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
    driver = Driver(*weaker, folder=str(strict.folder), system_folder=str(strict.system_folder), umask=0o077)
    client = long_query(endpoint_of(driver.ask("start"), strict), "SELECT count(*) FROM generate_series(1, 100000000000)")
    os.kill(postmaster_pid(strict), signal.SIGKILL)
    assert query(str(driver.ask("start")["dsn"]), "SELECT 1") == "1"
    assert client.wait(GENEROUS_SECONDS) != 0
    driver.ask("stop")
    driver.end(signal.SIGTERM)
    EmbeddedServer(strict).remove()


def endpoint_of(told: dict[str, object], options: Options) -> Endpoint:
    home = home_of(options)
    return Endpoint("127.0.0.1", int(str(told["port"])), "panda", home.password.read_text().strip(), "panda", home.sockets)


@root_only
def test_a_moved_folder_keeps_its_database_and_a_copy_is_refused(fresh: Options) -> None:
    server = EmbeddedServer(fresh)
    query(server.start().dsn, "CREATE TABLE mine (n int)")
    copy = replace(fresh, folder=fresh.folder.with_name("copy"))
    shutil.copytree(fresh.folder, copy.folder)
    with pytest.raises(Conflict, match="is a copy of"):
        EmbeddedServer(copy).start()
    server.stop()
    shutil.rmtree(copy.folder)
    fresh.folder.rename(copy.folder)
    moved = EmbeddedServer(copy)
    assert query(moved.start().dsn, "SELECT count(*) FROM mine") == "0"
    moved.remove()


@root_only
def test_a_folder_made_anew_begins_empty_and_the_old_database_is_ended_and_kept_aside(fresh: Options) -> None:
    first = EmbeddedServer(fresh)
    query(first.start().dsn, "CREATE TABLE mine (n int)")
    home = home_of(fresh)
    shutil.rmtree(fresh.folder)
    second = EmbeddedServer(fresh)
    assert query(second.start().dsn, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'") == "0"
    assert not first.is_running()
    assert len(list(fresh.system_folder.glob(f"{home.folder.name}.*/data/PG_VERSION"))) == 1
    second.stop()


@root_only
def test_root_believes_no_location_outside_the_system_folder(fresh: Options, tmp_path: Path) -> None:
    fresh.folder.mkdir()
    for elsewhere in (tmp_path / "elsewhere", fresh.system_folder / ".."):
        (fresh.folder / "LOCATION").write_text(str(elsewhere))
        with pytest.raises(Invalid, match="LOCATION"):
            EmbeddedServer(fresh).start()
    assert not (tmp_path / "elsewhere").exists()
    (fresh.folder / "LOCATION").unlink()


@root_only
def test_a_system_folder_that_others_can_write_to_is_refused(fresh: Options, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Invalid, match="only root can write"):
        EmbeddedServer(replace(fresh, system_folder=tmp_path / "open")).start()


@root_only
def test_without_useradd_the_error_says_what_to_do() -> None:
    with pytest.raises(Unavailable) as caught:
        dedicated("no-such-panda-account", search_path="/nowhere")
    assert "no-such-panda-account" in str(caught.value.hint)


@pytest.fixture
def nobody_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="panda-nobody-"))
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    yield folder
    shutil.rmtree(folder)


@root_only
def test_a_normal_user_has_all_of_it_in_the_folder_itself(nobody_folder: Path, system_folder: Path) -> None:
    """The programs are a copy because the clone may be in a folder of root's, closed to others."""
    nobody, folder = pwd.getpwnam("nobody"), nobody_folder / "postgres"
    prefix = copied(PROGRAMS, system_folder / "binaries").prefix
    who = {"uid": nobody.pw_uid, "gid": nobody.pw_gid}
    driver = Driver(folder=str(folder), binaries_prefix=str(prefix), **who)
    dsn = str(driver.ask("start")["dsn"])
    query(dsn, "CREATE TABLE mine (n int)")
    named = read_pid_file(folder / "data")
    assert named is not None
    assert os.stat(f"/proc/{named.pid}").st_uid == nobody.pw_uid
    assert mode(folder / "password") == 0o600
    assert mode(folder / "sockets") == 0o700
    process = identified(named.pid)
    assert process is not None
    driver.end(signal.SIGKILL)
    assert is_alive(process)
    os.kill(named.pid, signal.SIGKILL)
    again = Driver(folder=str(folder), binaries_prefix=str(prefix), **who)
    assert query(str(again.ask("start")["dsn"]), "SELECT count(*) FROM mine") == "0"
    again.ask("stop")
    again.end(signal.SIGTERM)
    with pytest.raises(Invalid, match="made by a normal user"):
        EmbeddedServer(Options(folder, system_folder=system_folder)).start()
