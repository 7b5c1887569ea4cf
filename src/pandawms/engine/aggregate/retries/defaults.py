"""The built-in rules: data. Each line names where it comes from in PanDA, mapped to our own codes.

Sources: R = PanDA's retry actions (semantics 3.9), C = its pilot's error codes (9.4), L = the pilot's limits (9.2), P = the families of recoverable and site
errors in the brokerage (4.2, "too many failed jobs"), A = alternative replicas (scenario 16). What an outcome says by itself (`retryable`) needs no rule.
"""

from pandawms.domain.codes import Code
from pandawms.domain.retry_rule import Action, Rule

HOUR = 3600


def _rule(name: str, code: Code, action: Action, source: str, *, max_attempts: int | None = None, avoid_seconds: int | None = None) -> Rule:
    return Rule(name, action, str(code.domain), code.number, max_attempts=max_attempts, avoid_seconds=avoid_seconds, note=source)


MEMORY = (
    _rule("memory-ran-out", Code.OUT_OF_MEMORY, Action.MORE_MEMORY, "R increase_memory, C 1212 PAYLOADOUTOFMEMORY"),
    _rule("memory-not-given", Code.BAD_ALLOC, Action.MORE_MEMORY, "R increase_memory, C 1223 BADALLOC"),
    _rule("memory-exceeded", Code.TOO_MUCH_MEMORY, Action.MORE_MEMORY, "R increase_memory, C 1235 PAYLOADEXCEEDMAXMEM, scenario 17"),
    _rule("memory-killed", Code.KILLED_BY_SIGNAL, Action.MORE_MEMORY, "R increase_memory, C 1200 KILLSIGNAL, where the job was at the end of its memory"),
    _rule("memory-failed", Code.PAYLOAD_FAILED, Action.MORE_MEMORY, "R increase_memory, C 1305 PAYLOADEXECUTIONFAILURE, where the program says so"),
)
WALLTIME = (
    _rule("time-ran-out", Code.OUT_OF_TIME, Action.MORE_WALLTIME, "R increase_cputime, C 1213 REACHEDMAXTIME"),
    _rule("cpu-time-ran-out", Code.SIGXCPU, Action.MORE_WALLTIME, "R increase_cputime, C 1204 SIGXCPU"),
)
INPUTS = (
    _rule("time-fewer-inputs", Code.OUT_OF_TIME, Action.FEWER_INPUTS, "R reduce_input_per_job, C 1213 REACHEDMAXTIME"),
    _rule("work-folder-fewer-inputs", Code.WORK_FOLDER_TOO_LARGE, Action.FEWER_INPUTS, "R reduce_input_per_job, C 1104 USERDIRTOOLARGE"),
    _rule("output-fewer-inputs", Code.OUTPUT_TOO_LARGE, Action.FEWER_INPUTS, "R reduce_input_per_job, C 1124 OUTPUTFILETOOLARGE"),
    _rule("stage-in-fewer-inputs", Code.STAGE_IN_TIMEOUT, Action.FEWER_INPUTS, "R reduce_input_per_job, C 1151 STAGEINTIMEOUT"),
)
LIMITS = (
    _rule("stdout-once", Code.STDOUT_TOO_BIG, Action.NO_RETRY, "R no_retry, C 1106 STDOUTTOOBIG"),
    _rule("long-name-once", Code.NAME_TOO_LONG, Action.NO_RETRY, "R no_retry, C 1190 LFNTOOLONG"),
    _rule("no-user-code-once", Code.MISSING_USER_CODE, Action.NO_RETRY, "R no_retry, C 1335 MISSINGUSERCODE"),
    _rule("bad-output-name-once", Code.BAD_OUTPUT_NAME, Action.NO_RETRY, "R no_retry, C 1371 BADOUTPUTFILENAME"),
    _rule("looping-twice", Code.LOOPING, Action.LIMIT_ATTEMPTS, "R limit_retry, C 1150 LOOPINGJOB, L looping", max_attempts=2),
)
PLACES = (
    _rule("no-disk-elsewhere", Code.NO_LOCAL_SPACE, Action.OTHER_QUEUE, "P, C 1098 NOLOCALSPACE, L free disk", avoid_seconds=HOUR),
    _rule("setup-elsewhere", Code.SETUP_FAILED, Action.OTHER_QUEUE, "P, C 1110 SETUPFAILURE", avoid_seconds=HOUR),
    _rule("no-folder-elsewhere", Code.MAKE_FOLDER_FAILED, Action.OTHER_QUEUE, "P, C 1199 MKDIR", avoid_seconds=HOUR),
    _rule("not-installed-elsewhere", Code.MISSING_INSTALLATION, Action.OTHER_QUEUE, "P, C 1211 MISSINGINSTALLATION", avoid_seconds=6 * HOUR),
    _rule("no-network-elsewhere", Code.NETWORK_UNREACHABLE, Action.OTHER_QUEUE, "P, C 1327 UNREACHABLENETWORK", avoid_seconds=HOUR),
    _rule("no-resource-elsewhere", Code.RESOURCE_UNAVAILABLE, Action.OTHER_QUEUE, "P, C 1344 RESOURCEUNAVAILABLE", avoid_seconds=HOUR),
    _rule("queue-shut-elsewhere", Code.QUEUE_NOT_ACTIVE, Action.OTHER_QUEUE, "P, C 1359 PANDAQUEUENOTACTIVE", avoid_seconds=HOUR),
    _rule("no-environment-elsewhere", Code.ENVIRONMENT_NOT_BUILT, Action.OTHER_QUEUE, "P, ours: 2001", avoid_seconds=HOUR),
    _rule("storage-full-elsewhere", Code.NO_REMOTE_SPACE, Action.OTHER_QUEUE, "P, C 1333 NOREMOTESPACE", avoid_seconds=HOUR),
    _rule("stage-out-elsewhere", Code.STAGE_OUT_FAILED, Action.OTHER_QUEUE, "P, C 1137 STAGEOUTFAILED (recoverable family)", avoid_seconds=HOUR),
    _rule("stage-out-denied-elsewhere", Code.STAGE_OUT_DENIED, Action.OTHER_QUEUE, "P, C 1383 stage-out authentication", avoid_seconds=HOUR),
)
REPLICAS = (
    _rule("stage-in-other-copy", Code.STAGE_IN_FAILED, Action.OTHER_REPLICA, "A, C 1099 STAGEINFAILED", avoid_seconds=HOUR),
    _rule("no-copy-other-copy", Code.REPLICA_NOT_FOUND, Action.OTHER_REPLICA, "A, C 1100 REPLICANOTFOUND", avoid_seconds=HOUR),
    _rule("no-file-other-copy", Code.NO_SUCH_FILE, Action.OTHER_REPLICA, "A, C 1103 NOSUCHFILE", avoid_seconds=HOUR),
    _rule("slow-other-copy", Code.STAGE_IN_TIMEOUT, Action.OTHER_REPLICA, "A, C 1151 STAGEINTIMEOUT", avoid_seconds=HOUR),
    _rule("damaged-other-copy", Code.STAGE_IN_CHECKSUM, Action.OTHER_REPLICA, "A, C 1171 GETADMISMATCH, scenario 16", avoid_seconds=HOUR),
    _rule("empty-other-copy", Code.ZERO_FILE_SIZE, Action.OTHER_REPLICA, "A, C 1191 ZEROFILESIZE", avoid_seconds=HOUR),
    _rule("missing-other-copy", Code.MISSING_INPUT, Action.OTHER_REPLICA, "A, C 1331 MISSINGINPUTFILE, scenario 16", avoid_seconds=HOUR),
    _rule("denied-other-copy", Code.STAGE_IN_DENIED, Action.OTHER_REPLICA, "A, C 1338 stage-in authentication", avoid_seconds=HOUR),
)

BUILT_IN: tuple[Rule, ...] = MEMORY + WALLTIME + INPUTS + LIMITS + PLACES + REPLICAS
"""All of them, in the order in which they are shown."""
