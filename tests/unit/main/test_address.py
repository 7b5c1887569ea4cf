"""What the API is called by others, and what is refused before anything starts."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pandawms.domain.errors import Invalid
from pandawms.main import address, ports
from pandawms.main.child import Child
from pandawms.main.settings import load


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for two names, the first with a wildcard, and an address; and its key."""
    return made(tmp_path_factory.mktemp("tls"), "DNS:*.example.org,DNS:panda.example.org,IP:10.0.0.5")


def made(folder: Path, names: str) -> tuple[Path, Path]:
    """Makes a certificate for these names, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=x",
         "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_a_host_that_stands_for_all_addresses_is_called_by_the_name_in_the_certificate(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert address.public("", "0.0.0.0", 8443, str(pair[0])) == "https://panda.example.org:8443"
    assert address.public("", "::", 8443, str(pair[0])) == "https://panda.example.org:8443"
    assert address.public("", "0.0.0.0", 8443, str(made(tmp_path, "IP:10.0.0.5")[0])) == "https://10.0.0.5:8443"
    assert address.public("https://other.example.org/", "0.0.0.0", 8443, str(pair[0])) == "https://other.example.org"
    assert address.public("", "10.0.0.7", 8443, str(pair[0])) == "https://10.0.0.7:8443"


def test_without_a_certificate_it_is_the_loopback_address_and_ipv6_has_brackets() -> None:
    assert [address.public("", host, 80, "") for host in ("0.0.0.0", "", "::", "::1", "127.0.0.1", "localhost")] == [
        "http://127.0.0.1:80", "http://127.0.0.1:80", "http://[::1]:80", "http://[::1]:80", "http://127.0.0.1:80", "http://localhost:80",
    ]  # fmt: skip
    assert address.own("::", 80, is_tls=True) == "https://[::1]:80"


@pytest.mark.parametrize(
    ("toml", "field"),
    [
        ('tls_certificate = "a"', "server.tls_key"),
        ('tls_key = "a"', "server.tls_certificate"),
        ('public_url = "panda.example.org"', "server.public_url"),
        ('public_url = "http://panda.example.org"', "server.public_url"),
        ('public_url = "https://panda.example.org/api"', "server.public_url"),
        ('public_url = "https://panda.example.org:x"', "server.public_url"),
        ('public_url = "https://0.0.0.0:8443"', "server.public_url"),
    ],
)
def test_a_half_given_certificate_and_an_address_that_is_none_are_refused(tmp_path: Path, toml: str, field: str) -> None:
    (tmp_path / "panda.toml").write_text(f"[server]\n{toml}\n")
    with pytest.raises(Invalid) as refused:
        load(tmp_path, {})
    assert (refused.value.field, bool(refused.value.allowed), bool(refused.value.hint)) == (field, True, True)


def test_a_certificate_that_cannot_be_used_is_named_before_anything_starts(pair: tuple[Path, Path], tmp_path: Path) -> None:
    address.check_files(str(pair[0]), str(pair[1]))
    other = made(tmp_path, "DNS:x")[1]
    for certificate, key, field in ((str(pair[0]), str(other), "server.tls_key"), ("/nowhere.pem", str(other), "server.tls_certificate")):
        with pytest.raises(Invalid) as refused:
            address.check_files(certificate, key)
        assert refused.value.field == field


def test_an_address_beyond_loopback_needs_tls() -> None:
    address.check_reach("127.0.0.1", "")
    address.check_reach("0.0.0.0", "certificate.pem")
    with pytest.raises(Invalid, match="no TLS"):
        address.check_reach("0.0.0.0", "")


def test_a_port_of_an_ipv6_address_is_looked_at_there() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        assert not ports.is_free("::1", port)
    assert ports.is_free("::1", port)


def test_what_a_program_said_before_it_died_is_kept_for_whoever_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("error: of an earlier time\n")
    child = Child("x", [sys.executable, "-c", "print('error: no memory'); print('hint: buy some')"], tmp_path / "x.log", {})
    assert child.last_error() == ""
    child.start()
    assert child.process is not None
    child.process.wait(30)
    assert child.last_error() == "no memory"
