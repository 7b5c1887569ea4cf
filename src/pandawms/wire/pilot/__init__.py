"""The pilot's four calls as values, shared by the pilot and the server.

Frozen dataclasses of the standard library (Python 3.9, no dependency), a decoder that ignores unknown keys, so that an
old pilot understands a new server and the other way round, and an encoder. Times are epoch seconds.
Knows nothing of HTTP, of storage or of the database.
"""

from pandawms.wire.pilot.claim import (
    ClaimAnswer,
    ClaimRequest,
    Each,
    Environment,
    InputFile,
    JobSpec,
    LogTarget,
    OutputFile,
    Payload,
    Resources,
    Sandbox,
    Step,
    Traits,
)
from pandawms.wire.pilot.codec import decode, encode
from pandawms.wire.pilot.heartbeat import BeatVerdict, HeartbeatAnswer, HeartbeatRequest, JobBeat, Phase
from pandawms.wire.pilot.protocol import PROTOCOL
from pandawms.wire.pilot.report import (
    JobReport,
    PayloadReport,
    ReportAnswer,
    ReportRequest,
    ReportVerdict,
    StepUse,
    WrittenFile,
)

__all__ = [
    "PROTOCOL",
    "BeatVerdict",
    "ClaimAnswer",
    "ClaimRequest",
    "Each",
    "Environment",
    "HeartbeatAnswer",
    "HeartbeatRequest",
    "InputFile",
    "JobBeat",
    "JobReport",
    "JobSpec",
    "LogTarget",
    "OutputFile",
    "Payload",
    "PayloadReport",
    "Phase",
    "ReportAnswer",
    "ReportRequest",
    "ReportVerdict",
    "Resources",
    "Sandbox",
    "Step",
    "StepUse",
    "Traits",
    "WrittenFile",
    "decode",
    "encode",
]
