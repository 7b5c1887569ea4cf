"""The one table of error codes: what can go wrong with a job, who can mend it, whether another try may help, and what would help.

Numbers below 2000 are PanDA's, so that its users and tools recognise them: 1008 to 1386 are its pilot's, 1 to 300 those of its
dispatcher, its data handling and its task buffer. Codes from 2001 on are ours, for what PanDA has no number for.
"""

from __future__ import annotations

from enum import Enum

from pandawms.domain.machine import Word


class Domain(Word):
    """Where something went wrong."""

    NONE = "none", "nothing went wrong"
    PILOT = "pilot", "on the worker node, around the payload"
    PAYLOAD = "payload", "in the user's program or because of it"
    DISPATCH = "dispatch", "between server and pilot"
    DATA = "data", "with input, output or storage"
    TASK = "task", "the system ended the job for the sake of its task"
    USER = "user", "somebody asked for it"


class Owner(Word):
    """Who can mend it."""

    NOBODY = "nobody", "there is nothing to mend"
    USER = "user", "whoever wrote the task"
    SITE = "site", "whoever runs the queue or the storage"
    SYSTEM = "system", "whoever runs this system"


_P, _Y, _D, _A, _T, _U = Domain.PILOT, Domain.PAYLOAD, Domain.DISPATCH, Domain.DATA, Domain.TASK, Domain.USER
_USER, _SITE, _SYSTEM = Owner.USER, Owner.SITE, Owner.SYSTEM


class Code(Enum):
    """One row a code: domain, number, owner, retryable (may another attempt succeed?), meaning, advice (what would help)."""

    domain: Domain
    number: int
    owner: Owner
    retryable: bool
    meaning: str
    advice: str

    def __init__(self, domain: Domain, number: int, owner: Owner, retryable: bool, meaning: str, advice: str) -> None:
        self.domain = domain
        self.number = number
        self.owner = owner
        self.retryable = retryable
        self.meaning = meaning
        self.advice = advice

    SUCCESS = Domain.NONE, 0, Owner.NOBODY, False, "finished well", "Nothing to do."

    GENERAL_ERROR = (
        _P,
        1008,
        _SYSTEM,
        True,
        "something the pilot has no better word for",
        "Look at the message and the pilot's log; report it if it comes back.",
    )
    NO_LOCAL_SPACE = _P, 1098, _SITE, True, "not enough space on the worker node's disk", "Free the disk of the node, or ask for less disk_mb."
    WORK_FOLDER_TOO_LARGE = (
        _Y,
        1104,
        _USER,
        True,
        "the work folder grew over the job's disk limit",
        "Ask for more disk_mb, or let the program delete what it does not need.",
    )
    STDOUT_TOO_BIG = _Y, 1106, _USER, False, "the program printed too much", "Print less, or write to a file that is an output."
    SETUP_FAILED = _P, 1110, _SITE, True, "the job could not be set up on the node", "Look at the pilot's log; another queue may do."
    KILLED_BY_SERVER = _U, 1144, Owner.NOBODY, False, "ended because the server said so", "Nothing to do: a user, an operator or the task's end asked for it."
    LOOPING = (
        _Y,
        1150,
        _USER,
        True,
        "the program wrote nothing for too long and was stopped",
        "Check for a dead end in the program, or let it write a sign of life.",
    )
    MAKE_FOLDER_FAILED = _P, 1199, _SITE, True, "a folder could not be made on the node", "Check permissions and space of the pilot's work folder."
    MISSING_INSTALLATION = (
        _P,
        1211,
        _SITE,
        True,
        "software that the job needs is not installed at the node",
        "Install it there, or name it in the task's environment.",
    )
    OUT_OF_TIME = (
        _P,
        1213,
        _USER,
        True,
        "the job reached its time limit, or the pilot's time ended",
        "Ask for more wall_seconds, or give each job fewer events or files.",
    )
    UNKNOWN_EXCEPTION = _P, 1301, _SYSTEM, True, "the pilot met an error that it does not know", "Report it, with the job's log."
    WAITED_TOO_LONG = _P, 1317, _SITE, True, "waited too long for something on the node", "Look at the message for what it waited for."
    COMMUNICATION_FAILED = _D, 1318, _SYSTEM, True, "the pilot could not talk to the server for too long", "Check the network between the node and the server."
    INTERNAL_PILOT_PROBLEM = _P, 1319, _SYSTEM, True, "a mistake in the pilot itself", "Report it, with the job's log."
    LOG_FAILED = _P, 1320, _SITE, True, "the log of the job could not be made", "Check the space on the node."
    NETWORK_UNREACHABLE = _P, 1327, _SITE, True, "the node has no network", "Check the network of the node."
    SETUP_FATAL = _P, 1334, _SITE, False, "the job can never be set up on this kind of node", "Choose another queue, or change what the task asks for."
    RESOURCE_UNAVAILABLE = (
        _P,
        1344,
        _SITE,
        True,
        "the node could not give a process, a file handle or a thread",
        "Check the limits of the pilot's account on the node.",
    )
    QUEUE_NOT_ACTIVE = _P, 1359, _SITE, True, "the queue does not take work", "Wait until the queue is online, or choose another one."
    PREEMPTED = _P, 1379, _SITE, True, "the batch system took the slot back", "Nothing to do: it is tried again."

    KILLED_BY_SIGNAL = _Y, 1200, _USER, True, "the program was ended by a signal", "Signal 9 often means that memory ran out: ask for more memory_mb."
    SIGTERM = _Y, 1201, _SITE, True, "ended by SIGTERM", "Often the batch system at the end of its time: check the time limits of queue and job."
    SIGQUIT = _Y, 1202, _SITE, True, "ended by SIGQUIT", "Often the batch system: check the limits of queue and job."
    SIGSEGV = (
        _Y,
        1203,
        _USER,
        True,
        "the program crashed: bad memory access",
        "Run the same job with --try and a debugger; look at the last lines of its stderr.",
    )
    SIGXCPU = _Y, 1204, _USER, True, "the program used more CPU time than the node allows", "Ask for more wall_seconds, or give each job less to do."
    USER_KILL = _U, 1205, Owner.NOBODY, False, "ended by a user", "Nothing to do."
    SIGBUS = (
        _Y,
        1206,
        _SITE,
        True,
        "the program crashed: memory or disk behind it failed",
        "Check the disk of the node; report it when other jobs fail there too.",
    )
    SIGUSR1 = _Y, 1207, _SITE, True, "ended by SIGUSR1", "Often the batch system as a warning: check the limits of queue and job."
    SIGINT = _Y, 1208, _USER, True, "ended by SIGINT", "Somebody pressed Ctrl-C, or the node was shut down."
    OUT_OF_MEMORY = _Y, 1212, _USER, True, "the program ran out of memory", "Ask for more memory_mb."
    BAD_ALLOC = _Y, 1223, _USER, True, "the program could not get the memory that it asked for", "Ask for more memory_mb."
    TOO_MUCH_MEMORY = _Y, 1235, _USER, True, "the program used more memory than the job may", "Ask for more memory_mb; the job's peak is in its record."
    PAYLOAD_FAILED = _Y, 1305, _USER, True, "the program ended with an exit code other than 0", "Look at the last lines of its stderr in the job's log."
    PAYLOAD_EXCEPTION = _Y, 1310, _USER, True, "the program could not be run to its end", "Look at the job's log."
    CORE_DUMP = _Y, 1355, _USER, True, "the program dumped its core", "Run the same job with --try and a debugger."
    MISSING_OUTPUT = (
        _Y,
        1165,
        _USER,
        True,
        "the program ended well but did not write an output",
        "Compare the names under outputs in the task file with what the program writes.",
    )
    OUTPUT_TOO_LARGE = _Y, 1124, _USER, True, "an output is larger than allowed", "Give each job less to do, or raise disk_mb."
    EMPTY_OUTPUT = _Y, 1350, _USER, True, "an output file is empty", "Check why the program wrote nothing."
    BAD_OUTPUT_NAME = _Y, 1371, _USER, False, "an output has a name that cannot be used", "Use letters, digits, dot, underscore and minus."
    NAME_TOO_LONG = _A, 1190, _USER, False, "a file name is longer than 255 characters", "Shorten the task's name or the output's name."
    MISSING_USER_CODE = _A, 1335, _USER, False, "the sandbox with the program is gone", "Submit the task again: its sandbox expired or was deleted."

    STAGE_IN_FAILED = _A, 1099, _SITE, True, "an input could not be fetched", "Check the storage that the message names."
    REPLICA_NOT_FOUND = _A, 1100, _SITE, True, "no copy of an input was found", "Check that the dataset's files still exist."
    NO_SUCH_FILE = _A, 1103, _SITE, True, "an input is not where its record says", "The file may be lost: check the storage, then recover or retry."
    ZERO_FILE_SIZE = _A, 1191, _SITE, True, "an input is empty", "Check the file at its storage."
    STAGE_IN_TIMEOUT = _A, 1151, _SITE, True, "fetching the inputs took too long", "Check the storage and the network; smaller jobs fetch less."
    STAGE_IN_CHECKSUM = (
        _A,
        1171,
        _SITE,
        True,
        "an input does not match its adler32 checksum",
        "The copy is damaged, or was damaged on the way: check the storage.",
    )
    MISSING_INPUT = _A, 1331, _SITE, True, "an input file is missing on the node", "Check the storage; report it if the file is there."
    STAGE_IN_DENIED = _A, 1338, _SITE, True, "the storage refused to hand out an input", "Check the credentials for this storage."
    STAGE_OUT_FAILED = _A, 1137, _SITE, True, "an output could not be stored", "Check the storage that the message names."
    STAGE_OUT_TIMEOUT = _A, 1152, _SITE, True, "storing the outputs took too long", "Check the storage and the network."
    STAGE_OUT_CHECKSUM = _A, 1172, _SITE, True, "a stored output does not match its adler32 checksum", "It was damaged on the way: check the storage."
    FILE_EXISTS = _A, 1221, _SYSTEM, True, "another file is already where an output belongs", "Report it: names of outputs are made unique for each attempt."
    NO_REMOTE_SPACE = _A, 1333, _SITE, True, "the storage is full", "Free space there, or send the outputs elsewhere."
    STAGE_OUT_DENIED = _A, 1383, _SITE, True, "the storage refused an output", "Check the credentials for this storage."
    UNKNOWN_CHECKSUM_TYPE = _A, 1314, _SYSTEM, False, "a checksum of a kind that the pilot does not know", "Register the file with its adler32 checksum."
    CHECKSUM_NOT_COMPUTED = _A, 1366, _SITE, True, "a checksum could not be computed", "Check the disk of the node."
    NO_STORAGE_PROTOCOL = _A, 1313, _SITE, False, "the pilot does not speak the protocol of a storage", "Choose another endpoint for the queue."

    ENVIRONMENT_NOT_BUILT = (
        _P,
        2001,
        _SITE,
        True,
        "the task's environment could not be built",
        "Look at the message; often the package index could not be reached from the node.",
    )
    ENVIRONMENT_IMPOSSIBLE = (
        _Y,
        2002,
        _USER,
        False,
        "the task's environment cannot exist",
        "Correct the packages or versions in the task file: no such package, or they exclude each other.",
    )
    NO_PYTHON = (
        _P,
        2003,
        _SITE,
        False,
        "the node has no Python of the version that the task wants",
        "Widen environment.python in the task file, or install it at the site.",
    )
    SANDBOX_CHECKSUM = _A, 2004, _SYSTEM, True, "the sandbox does not match its sha256", "It was damaged on the way; report it if it comes back."
    SANDBOX_UNSAFE = _Y, 2005, _USER, False, "the sandbox holds a path that leads out of the work folder", "Pack only files below the task file's folder."
    SANDBOX_NOT_FETCHED = _A, 2006, _SYSTEM, True, "the sandbox could not be fetched", "Check the network between the node and the server."
    COMMAND_NOT_FOUND = (
        _Y,
        2007,
        _USER,
        False,
        "the shell did not find the program, or may not run it (exit 126 or 127)",
        "Name the file under program.files and run it as ./name or python name.",
    )
    PLACEHOLDER_LEFT = _Y, 2008, _SYSTEM, False, "a placeholder in the command could not be filled", "Report it, with the task file."
    BAD_JOB = _D, 2009, _SYSTEM, False, "the pilot could not understand the job", "Pilot and server may be of versions too far apart: update the pilot."
    PILOT_STOPPED = _P, 2010, _SITE, True, "the pilot was asked to stop while the job ran", "Nothing to do: it is tried again."
    PAYLOADS_FAILED = _Y, 2014, _USER, True, "some payloads of the job failed", "Look at its payloads with panda show: each has an account of its own."
    PAYLOAD_NOT_REACHED = _T, 2015, Owner.NOBODY, True, "the job ended before this payload was through", "Nothing to do: its input goes into another job."
    PILOT_TOO_OLD = _D, 2016, _SITE, True, "the pilot does not know jobs of several payloads", "Update the pilot of the queue."
    LEASE_LOST = _D, 2011, _SYSTEM, False, "the job was not this pilot's any more", "Nothing to do: another attempt has taken its place."

    LOST_HEARTBEAT = _D, 100, _SITE, True, "no heartbeat came before the lease ran out", "The node or its network went away; it is tried again."
    RECOVERY_FAILED = _D, 101, _SITE, True, "the held outputs were not recovered in time", "It is tried again from the start."
    NO_FIRST_HEARTBEAT = (
        _D,
        102,
        _SITE,
        True,
        "a pilot took the job and never said a word about it",
        "It is tried again; many of these point at a broken node or network.",
    )
    HELD_TOO_LONG = _D, 103, _SYSTEM, True, "waited too long for its outputs to be registered", "Check the registration of outputs."
    TRANSFER_TIMEOUT = _D, 104, _SITE, True, "its outputs took too long to reach their destination", "Check the transfers to the destination."
    OTHER_TIMEOUT = _D, 105, _SYSTEM, True, "stayed too long in one status", "Look at the job's events for where it waited."
    WORKER_ENDED = (
        _D,
        300,
        _SITE,
        True,
        "its worker ended without a report",
        "It is tried again; look at the log of the batch system for why the pilot ended.",
    )
    NO_FINAL_REPORT = (
        _D,
        2013,
        _SITE,
        True,
        "the pilot stored its outputs, and no report of its end came before the lease ran out",
        "It is tried again; files that it wrote are not in the catalogue.",
    )

    PLACEMENT_FAILED = _A, 100, _SITE, True, "its input data could not be brought to the queue", "Check the transfers to the queue's storage."
    REGISTRATION_FAILED = _A, 200, _SYSTEM, True, "its outputs could not be registered", "Check the data management system."
    MISSING_EVENT_COUNT = _A, 204, _USER, True, "an output has no number of events and needs one", "Let the program report its events."
    GUID_MISMATCH = _A, 205, _SYSTEM, True, "an output has another guid than the one reserved for it", "Report it, with the job's log."

    KILLED = _U, 100, Owner.NOBODY, False, "ended by a user, an operator or the kill of its task", "Nothing to do."
    EXPIRED = _T, 102, _SITE, True, "waited too long before a pilot took it", "Its inputs are brokered anew; check that the queue has pilots."
    ABORTED = _T, 103, Owner.NOBODY, False, "ended by another system", "Nothing to do."
    REBROKERED = _T, 105, Owner.NOBODY, True, "its inputs were sent to another queue", "Nothing to do."
    RETRIED = _T, 106, Owner.NOBODY, True, "replaced by a new attempt", "Nothing to do."
    MERGE_FAILED = _T, 113, _USER, True, "the merge of its outputs failed for good", "Look at the log of the merge job."
    PREDECESSOR_FAILED = _T, 2012, _USER, True, "a job that it waited for failed for good", "Look at the job that it waited for."
    ANOTHER_COPY_WON = _T, 1234, Owner.NOBODY, True, "another copy of this job did its work", "Nothing to do: look at the copy that won."
    TASK_DONE = _T, 55, Owner.NOBODY, False, "its task ended before it ran", "Nothing to do."
    INCONSISTENT_INPUT = _T, 124, _SYSTEM, True, "its inputs changed while it was made", "It is made again."
