"""The pilot's calls as bytes: everything that does not change is written once, what changes is put in between."""

import json
import os
from collections.abc import Sequence
from itertools import count

import msgspec

from pandawms.wire.pilot import PROTOCOL

VERSION = "bench"


class Written(msgspec.Struct, frozen=True):
    """An output that a job must report."""

    stream: str
    name: str


class Job(msgspec.Struct, frozen=True):
    """Of a claimed job, what its pilot must say again."""

    job_id: int
    claim_id: str
    attempt: int
    outputs: tuple[Written, ...] = ()


class Given(msgspec.Struct, frozen=True):
    """The answer to a claim, as far as it matters here."""

    jobs: tuple[Job, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What is said of one job in the answer to a heartbeat or report."""

    verdict: str


class Verdicts(msgspec.Struct, frozen=True):
    """The answer to a heartbeat or report, as far as it matters here."""

    jobs: tuple[Verdict, ...] = ()


given = msgspec.json.Decoder(Given).decode
verdicts = msgspec.json.Decoder(Verdicts).decode

_START = json.dumps({"protocol": PROTOCOL, "pilot_version": VERSION, "worker_id": None})[:-1]
_JOBS = f'{_START}, "jobs": ['.encode()
_SUCCESS = (
    b'"outcome":{"domain":"none","code":0,"exit_code":0,"signal":null,"message":"","retryable":false},'
    b'"started_at":1.0,"wall_seconds":1.5,"cpu_seconds":1.0,"max_rss_mb":50.0,"outputs":['
)
_run = int.from_bytes(os.urandom(7))
_serial = count()


class Caller:
    """Writes the requests of the pilots of one queue: `host` as in the Host header, `token` of the queue."""

    def __init__(self, host: str, token: str) -> None:
        self._heads = {name: self._head(name, host, token) for name in ("claim", "heartbeat", "report")}

    @staticmethod
    def _head(name: str, host: str, token: str) -> bytes:
        lines = (f"POST /api/v2/pilot/{name} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", "Content-Type: application/json", "Content-Length: ")
        return "\r\n".join(lines).encode()

    def request(self, name: str, body: bytes) -> bytes:
        """Returns the whole request of a call."""
        return b"%b%d\r\n\r\n%b" % (self._heads[name], len(body), body)

    def claim(self, slot: bytes) -> bytes:
        """Returns a claim under a claim_id of its own; `slot` comes from the function of that name."""
        return self.request("claim", b'%b, "claim_id": "%014x%018x"}' % (slot, _run, next(_serial)))

    def heartbeat(self, jobs: Sequence[Job]) -> bytes:
        """Returns a heartbeat in which all the jobs run."""
        said = b",".join(b'{%b,"phase":"running","started_at":1.0,"cpu_seconds":1.0,"max_rss_mb":50.0,"disk_mb":1.0}' % _named(job) for job in jobs)
        return self.request("heartbeat", b"%b%b]}" % (_JOBS, said))

    def report(self, jobs: Sequence[Job]) -> bytes:
        """Returns a report that all the jobs succeeded and wrote their outputs."""
        said = b",".join(b"{%b,%b%b]}" % (_named(job), _SUCCESS, b",".join(_written(file) for file in job.outputs)) for job in jobs)
        return self.request("report", b"%b%b]}" % (_JOBS, said))


def slot(queue: str, *, jobs: int = 1, wait_seconds: float = 0, memory_mb: int = 64_000, node: str = "bench") -> bytes:
    """Returns the part of a claim that stays: a slot of one core, with memory and disk for every job of the benchmark."""
    document = {
        "protocol": PROTOCOL, "pilot_version": VERSION, "worker_id": None, "queue": queue, "node": node, "n_jobs": jobs, "cores": 1, "memory_mb": memory_mb,
        "disk_mb": 1_000_000, "remaining_seconds": None, "architecture": "x86_64", "gpus": 0, "wait_seconds": wait_seconds,
    }  # fmt: skip
    return json.dumps(document)[:-1].encode()


def _named(job: Job) -> bytes:
    return b'"job_id":%d,"claim_id":"%b","attempt":%d' % (job.job_id, job.claim_id.encode(), job.attempt)


def _written(file: Written) -> bytes:
    n = next(_serial)
    return b'{"stream":"%b","name":"%b","size_bytes":1000,"adler32":"0a0b0c0d","guid":"%014x%018x"}' % (file.stream.encode(), file.name.encode(), _run, n)
