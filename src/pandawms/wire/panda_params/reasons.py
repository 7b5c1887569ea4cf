"""Keys that have no field in a task document, and why."""

from __future__ import annotations

_OWNER = "who submits is the owner; the server takes it from the token"
_LABEL = "a label without effect here; write it into description if people need it"
_SITE = "placement inside a site's or a region's storage and network is the broker's and the operator's, not the task's"
_SOFTWARE = "releases are what a site offers; name packages under environment, or set the release up in the command"
_EVENT_SERVICE = "event service and jumbo jobs are not part of a task document"
_SANDBOX = "the program travels in the task's own sandbox: list its files under program.files"
_IO = "inputs are copied into the job's work folder; how is the site's matter"
_PIPELINE = "it steers a part of PanDA that does not exist here"
_HPO = "hyper-parameter search is a workflow of its own"
_SEGMENT = "segmented work: submit a task for each segment"
_NAMES = "output names follow from task, stream, number and attempt"

REASONS: dict[str, str] = {
    **dict.fromkeys(("userName", "official", "taskType", "prodSourceLabel"), _OWNER),
    **dict.fromkeys(("countryGroup", "campaign", "framework", "ticketID", "ticketSystemType", "reqID", "processingType", "osInfo", "ttcrTimestamp"), _LABEL),
    **dict.fromkeys(("cloud", "nucleus", "avoidVP", "onlyTagsForFC", "ipConnectivity", "ipStack", "cloudAsVO", "t1Weight", "altStageOut"),
                    _SITE),
    **dict.fromkeys(("transUses", "transHome"), _SOFTWARE),
    **dict.fromkeys(("sourceURL", "fixedSandbox", "tarBallViaDDM"), _SANDBOX),
    **dict.fromkeys(("useLocalIO", "forceStaged", "allowInputLAN", "allowInputWAN", "transferType", "usePrefetcher", "useZipToPin", "ddmBackEnd"), _IO),
    **dict.fromkeys(("messageDriven", "pushStatusChanges", "pushJob", "noAutoPause", "workflowHoldup", "fullChain", "intermediateTask", "disableReassign",
                     "registerDatasets", "instantiateTmpl", "instantiateTmplSite", "firstContentsFeed", "osMatching", "noExecStrCnv"), _PIPELINE),
    **dict.fromkeys(("hpoWorkflow", "hpoRequestData"), _HPO),
    **dict.fromkeys(("segmentedWork", "segmentSpecs"), _SEGMENT),
    **dict.fromkeys(("addNthFieldToLFN", "useFileAsSourceLFN"), _NAMES),
    "nEventsPerMergeJob": "merge jobs are sized by merge.files_per_job and merge.mb_per_job",
    **dict.fromkeys(("nGBPerMergeJob", "nMaxFilesPerMergeJob"), "without mergeOutput there is no merge"),
    **dict.fromkeys(("eventService", "nEventsPerWorker", "nJumboJobs", "maxJumboPerSite", "maxAttemptES",
                     "maxAttemptEsJob", "decAttOnFailedES", "notDiscardEvents", "resurrectConsumers", "registerEsFiles", "mergeEsOnOS", "switchEStoNormal",
                     "nEventsPerOutputFile", "esFraction", "esConvertible", "esmergeSpec", "dynamicNumEvents", "minGranularity", "nEventsPerRange"),
                    _EVENT_SERVICE),
    "nSitesPerJob": "without useJobCloning a job is in one queue",
    "nEsConsumers": "consumers belong to the event service, which is not part of a task document",
    "vo": "the community is that of your token; write community: if you have several",
    "workingGroup": "groups get their part by shares; an operator sets them",
    "gshare": "the share follows from the community; an operator changes it",
    "workQueueName": "there are shares, and no work queues",
    "parentTaskName": "a chain follows from inputs: {task, output}",
    "noWaitParent": "a task that reads another's output always runs beside it",
    "noEmail": "no mail is sent",
    "maxCoreCount": "a job has the cores that resources.cores says",
    "ioIntensity": "what jobs read and write is measured", "ioIntensityUnit": "what jobs read and write is measured",
    "diskIO": "what jobs read and write is measured", "minCpuEfficiency": "there is no limit for it; look at the scouts' findings",
    "cpuTimeUnit": "read together with cpuTime", "cpuEfficiency": "read together with cpuTime", "walltimeUnit": "wall times are seconds here",
    "outDiskUnit": "read together with outDiskCount", "workDiskUnit": "read together with workDiskCount",
    "ramCountUnit": "read together with ramCount", "ramUnit": "read together with ramCount",
    "retryRamOffset": "memory grows from the last attempt's, by retry.memory_step_mb",
    "mergeRamCount": "merge jobs get what run jobs get", "mergeCoreCount": "merge jobs get what run jobs get",
    "maxEventsPerJob": "events_per_job is the most, too", "nChunksToWait": "jobs are made as soon as there is enough for one",
    "noInputPooling": "jobs are made as soon as there is enough for one",
    "pfnList": "files that no catalogue has: register them in a dataset with their urls and name it under inputs",
    "skipFilesUsedBy": "name the files that are left under names, or extend the task that took the others",
    "releasePerLB": "groups are not waited for: write boundary.one_job_per_group", "orderByLB": "with a boundary files stand in the order of their groups",
    "groupBoundaryID": "write split.boundary by a part of the name, or by the attribute of the files",
    "inputPreStaging": "recalls from tape are the data manager's", "panda_data_carousel": "recalls from tape are the data manager's",
    "remove_rule_when_done": "recalls from tape are the data manager's", "toStaging": "recalls from tape are the data manager's",
    "allowIncompleteInDS": "a dataset is read as it is; one that is open is read on until it is closed",
    "useInFilesWithNewAttemptNr": "each name counts once", "useInFilesInContainer": "a container is read as the datasets in it",
    "skipShortInput": "there is no check for it", "skipShortOutput": "there is no check for it", "skipEmptyInput": "there is no check for it",
    "loadXML": "a map of jobs in XML: make a task for each kind of job", "inFilePosEvtNum": "events of a file are counted from its first one",
    "buildSpec": "it says not what is compiled: write build: {command, output} and unpack %{build} in the command",
    "preproSpec": "run a task before this one, and read its output", "multiStepExec": "write the steps into one command",
    "container_name": "programs run without containers; build the environment from packages",
    "log": "the log of every job is kept by the server", "log_merge": "the log of every job is kept by the server",
    "destination": "outputs go to the storage of the queue", "outputPostProcessing": "post-process in the command or in a merge",
    "objectStore": "outputs go to the storage of the queue", "putLogToOS": "the log of every job is kept by the server",
    "stayOutputOnSite": "outputs stay where they were written", "onSiteMerging": "merge jobs run where their inputs are",
    "noLoopingCheck": "a job is ended at its wall time, not when it is quiet", "loopingCheck": "a job is ended at its wall time, not when it is quiet",
    "debugMode": "look into a job's log with panda logs", "useSecrets": "secrets do not travel with a task", "encJobParams": "the command is kept as it is",
    "writeInputToFile": "write %{NAME:file} in the command", "nFilesPerMergeJob": "without mergeOutput there is no merge",
    "mergeSpec": "without mergeOutput there is no merge", "umNameAtEnd": "output names follow from task, stream, number and attempt",
    "retryModuleRules": "retry rules are the operator's; retry.use_rules switches them off for a task",
    "allowPartialFinish": "a task that misses its goal is finished unless goal.on_miss says otherwise",
}  # fmt: skip
"""What has no field, and keys that are read together with others when these are not there."""
