"""Dictionaries of PanDA task parameters become documents, and every key of them is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document, problems
from pandawms.wire.panda_params import KNOWN, imported, words
from pandawms.wire.panda_params.importing import TAKEN
from pandawms.wire.panda_params.reasons import REASONS

FOLDER = Path(__file__).parent / "imports"
CLIENT_KEYS = """
taskName uniqueTaskName userName vo prodSourceLabel taskType processingType workingGroup official countryGroup campaign framework ticketID ticketSystemType
reqID taskPriority currentPriority gshare workQueueName parentTaskName noWaitParent cliParams osInfo osMatching noEmail goal failWhenGoalUnreached
ttcrTimestamp site includedSite excludedSite cloud nucleus avoidVP architecture container_name onlyTagsForFC ipConnectivity cloudAsVO t1Weight nSitesPerJob
altStageOut ramCount ramCountUnit ramUnit baseRamCount coreCount maxCoreCount cpuTime cpuTimeUnit cpuEfficiency baseWalltime walltime walltimeUnit
maxWalltime outDiskCount outDiskUnit workDiskCount workDiskUnit ioIntensity ioIntensityUnit diskIO minCpuEfficiency retryRamOffset retryRamStep retryRamMax
mergeRamCount mergeCoreCount noInput nEvents nEventsPerJob nEventsPerFile nEventsPerInputFile useRealNumEvents getNumEventsInMetadata nFiles nFilesPerJob
nMaxFilesPerJob nGBPerJob tgtNumEventsPerJob maxEventsPerJob tgtMaxOutputForNG nChunksToWait noInputPooling maxNumJobs totNumJobs pfnList dsForIN
skipFilesUsedBy respectSplitRule respectLB releasePerLB orderByLB orderInputBy reuseSecOnDemand waitInput runUntilClosed inputPreStaging panda_data_carousel
remove_rule_when_done toStaging ignoreMissingInDS allowIncompleteInDS allowEmptyInput useInFilesWithNewAttemptNr useInFilesInContainer skipShortInput
skipShortOutput skipEmptyInput minGranularity nEventsPerRange loadXML inFilePosEvtNum useLocalIO forceStaged allowInputLAN allowInputWAN transferType
transPath transUses transHome sourceURL fixedSandbox tarBallViaDDM buildSpec preproSpec mergeOutput mergeSpec nGBPerMergeJob nFilesPerMergeJob
nEventsPerMergeJob nMaxFilesPerMergeJob umNameAtEnd esmergeSpec multiStepExec log log_merge destination addNthFieldToLFN useFileAsSourceLFN maxAttempt
disableAutoRetry maxFailure skipScout scoutSuccessRate noLoopingCheck loopingCheck debugMode useSecrets encJobParams pushJob messageDriven pushStatusChanges
noAutoPause workflowHoldup intermediateTask fullChain disableReassign allowPartialFinish useExhausted disableAutoFinish stayOutputOnSite onSiteMerging
putLogToOS writeInputToFile noExecStrCnv usePrefetcher useZipToPin registerDatasets ddmBackEnd outputPostProcessing objectStore hpoWorkflow hpoRequestData
segmentedWork segmentSpecs nEventsPerWorker nEsConsumers useJobCloning fineGrainedProc nJumboJobs maxJumboPerSite maxAttemptES maxAttemptEsJob
decAttOnFailedES notDiscardEvents resurrectConsumers registerEsFiles mergeEsOnOS switchEStoNormal nEventsPerOutputFile esFraction esConvertible jobParameters
dynamicNumEvents failGoalUnreached firstContentsFeed groupBoundaryID instantiateTmplSite instantiateTmpl ipStack retryModuleRules
""".split()  # noqa: SIM905 - nobody could read the list
"""Every key that clients and production send, and the long names of the split rules."""

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**13), st.floats(allow_nan=True), st.text(max_size=8), st.sampled_from(["MBPerCoreFixed", "kBPerEvent", "a,b"]),
    st.lists(st.text(max_size=3), max_size=3), st.dictionaries(st.sampled_from(["jobParameters", "x"]), st.text(max_size=8), max_size=2),
)  # fmt: skip
SANE = st.one_of(st.integers(1, 300), st.booleans(), st.sampled_from(["5", "user.me.x"]))
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["constant", "template"]), "value": st.one_of(
            st.sampled_from(["-i ${IN/T}", "${OUTPUT0}", "--o=a.${SN/P}.root", '-p "x%20%25IN"', "${IN2[0:2]}", "-o \"{'a': 1}\"", "50% ${SN}"]),
            st.text(max_size=9))},
        optional={
            "param_type": st.sampled_from(["input", "output", "number", "random_seed", "log", "pseudo_input"]), "padding": st.booleans(),
            "hidden": st.booleans(),
            "dataset": st.one_of(st.sampled_from(["user.me.a", "mc:b,c.d", ""]), st.text(max_size=5)), "include": st.sampled_from(["a.*", "(x|y)", "*"]),
            "exclude": st.text(max_size=5), "files": st.lists(st.sampled_from(["f1", "s:f2"]), max_size=3), "nFilesPerJob": VALUES, "ratio": VALUES,
            "offset": VALUES, "attributes": st.sampled_from(["nosplit", "repeat,nosplit", "zzz"]), "allowNoOutput": st.booleans(), "random": st.booleans(),
        },
    ), max_size=6,
)  # fmt: skip


def read(name: str) -> dict[str, Any]:
    """A dictionary as a client sends it."""
    tree: dict[str, Any] = msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())
    return tree


@pytest.mark.parametrize("name", ["prun", "pathena", "production"])
def test_real_dictionaries_become_these_documents(name: str) -> None:
    found = imported(read(name))
    expected = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert found.document == expected["document"]
    assert sorted(found.unmapped) == sorted(expected["unmapped"])
    assert problems(decode_document(found.document)) == []


def test_every_known_key_has_a_field_or_a_reason() -> None:
    assert set(CLIENT_KEYS) <= KNOWN
    assert not TAKEN - set(CLIENT_KEYS) - {"nSkipFiles"}
    assert all(why and not why.endswith(".") for why in REASONS.values())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.one_of(st.sampled_from(CLIENT_KEYS), st.text(max_size=3)), VALUES, max_size=12), ITEMS)
def test_any_dictionary_becomes_a_document_of_the_right_types_and_each_key_is_accounted_for(params: dict[str, Any], items: list[dict[str, Any]]) -> None:
    params["jobParameters"] = items
    found = imported(params)
    decode_document(found.document)
    assert set(params) <= found.mapped.keys() | found.unmapped.keys()
    assert not found.mapped.keys() & found.unmapped.keys()
    assert all(found.mapped.values())
    assert all(found.unmapped.values())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(CLIENT_KEYS), SANE, max_size=10))
def test_numbers_that_make_sense_give_a_document_that_can_be_submitted(params: dict[str, Any]) -> None:
    found = imported(params | {"jobParameters": [{"type": "constant", "value": "a.py"}, {
        "type": "template", "param_type": "input", "value": "${IN/L}", "dataset": "user.me.x"}]})  # fmt: skip
    assert [error.detail for error in problems(decode_document(found.document))] == []


@pytest.mark.parametrize(
    ("more", "each"),
    [
        ({}, {}), ({"fineGrainedProc": False}, None), ({"totNumJobs": 2}, None), ({"useJobCloning": "runonce"}, None), ({"nFilesPerMergeJob": 4}, None),
        ({"nFilesPerMergeJob": 5}, {}), ({"nFilesPerJob": None, "nFilesPerMergeJob": 5}, {}),
        ({"nFilesPerJob": None, "nGBPerJob": 1, "nFilesPerMergeJob": 5}, None),
        ({"nFilesPerJob": None, "nMaxFilesPerJob": 50, "nFilesPerMergeJob": 5}, {}),
    ],
)  # fmt: skip
def test_fine_grained_processing_becomes_a_payload_for_each_file(more: dict[str, Any], each: Any) -> None:
    item = {"type": "template", "param_type": "input", "value": "${IN/T}", "dataset": "user.me.x"}
    output = {"type": "template", "param_type": "output", "value": "o.${SN}.txt", "dataset": "user.me.y"}
    given = {"jobParameters": [item, output], "nFilesPerJob": 5, "fineGrainedProc": True, "mergeOutput": "nFilesPerMergeJob" in more}
    made = imported(given | ({"nFilesPerJob": None} if "totNumJobs" in more else {}) | more)
    assert made.document["program"].get("each") == each
    assert ("fineGrainedProc" in made.mapped) is (each is not None or more == {"fineGrainedProc": False})
    assert problems(decode_document(made.document)) == []


def test_what_prun_compiles_becomes_a_build() -> None:
    items = [{"type": "constant", "value": '-r . -l ${LIB} -p "./run.sh%20%25IN"'}]
    found = imported({"jobParameters": items, "buildSpec": {"archiveName": "s.tar.gz", "jobParameters": '-i ${IN} -o ${OUT} -r . --bexec "make%20all" '}})
    assert found.document["build"]["output"] == "lib.tgz"
    assert found.document["build"]["command"].startswith("make all && ")
    assert found.document["program"]["command"].startswith("tar -xzf %{build} && ./run.sh")
    assert found.mapped["buildSpec"] == "build"


@pytest.mark.parametrize(
    ("architecture", "resources", "note"),
    [
        ("x86_64-el9-gcc13-opt", {"architecture": "x86_64"}, "only the processor is kept"),
        ("@el9#x86_64-*-avx2&nvidia:vram>=40960", {"architecture": "x86_64", "gpus": 1, "gpu_model": "*nvidia*", "gpu_memory_mb": 40_960}, ""),
        ("&nvidia-A100", {"gpus": 1, "gpu_model": "*a100*"}, ""),
        ("&*", {"gpus": 1}, ""),
        ("&nvidia-(A|H)100:vram>=9,cuda>=12", {"gpus": 1, "gpu_model": "*nvidia*", "gpu_memory_mb": 9}, "left out: cuda>=12, model (a|h)100"),
        ('{"gpu_spec": {"vendor": "amd", "model": "MI250", "vram": ">=64000"}}', {"gpus": 1, "gpu_model": "*mi250*", "gpu_memory_mb": 64_000}, ""),
        ('{"gpu_spec": {"vram": "40GB"}}', {"gpus": 1, "gpu_memory_mb": 40_000}, ""),
        ('{"gpu_spec": {"vram": ">= 40 GiB"}}', {"gpus": 1, "gpu_memory_mb": 40_960}, ""),
        ('{"gpu_spec": {"vram": "40960 MB"}}', {"gpus": 1, "gpu_memory_mb": 40_960}, ""),
        ('{"gpu_spec": {"vram": 40960}}', {"gpus": 1, "gpu_memory_mb": 40_960}, ""),
        ('{"gpu_spec": {"vram": "40 kB"}}', {"gpus": 1}, "left out: vram 40 kB"),
        ('{"gpu_spec": {"vram": "<40GB"}}', {"gpus": 1}, "left out: vram <40GB"),
        ("&nvidia:vram>=40GB", {"gpus": 1, "gpu_model": "*nvidia*", "gpu_memory_mb": 40_000}, ""),
        ("&nvidia:vram>=40.5GiB", {"gpus": 1, "gpu_model": "*nvidia*", "gpu_memory_mb": 41_472}, ""),
        ("&nvidia:vram>=lots", {"gpus": 1, "gpu_model": "*nvidia*"}, "left out: vram>=lots"),
        ('{"cpu_specs": [{"arch": "aarch64"}]}', {"architecture": "aarch64"}, "only the processor is kept"),
    ],
)
def test_the_processor_and_the_gpu_of_an_architecture_are_kept(architecture: str, resources: dict[str, Any], note: str) -> None:
    found = imported({"architecture": architecture, "jobParameters": []})
    assert found.document["resources"] == resources
    assert found.mapped["architecture"] == ", ".join(f"resources.{name}" for name in resources)
    assert note in found.notes["architecture"]


@pytest.mark.parametrize("wrong", [{}, {"jobParameters": "x"}, {"jobParameters": [1]}])
def test_what_is_no_dictionary_of_parameters_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        imported(wrong)
    assert caught.value.field == "jobParameters"


@pytest.mark.parametrize(
    ("regex", "patterns"),
    [
        (r"\.root$", ["*.root"]), (r"^a.*b", ["a*b*"]), (r"\.log\.tgz(\.\d+)*$", ["*.log.tgz", "*.log.tgz.*"]), ("x,y", ["*x*", "*y*"]), (r"(a|b)", None),
        (r"a.b", ["*a?b*"]), (r"[0-9]+", None),
    ],
)  # fmt: skip
def test_regular_expressions_become_patterns_where_patterns_can_say_it(regex: str, patterns: list[str] | None) -> None:
    assert words.globs(regex) == patterns


@pytest.mark.parametrize(
    ("text", "did"),
    [("user.me.x.y/", "user.me:user.me.x.y"), ("mc16:mc16.1", "mc16:mc16.1"), ("data18.x", "data18:data18.x"), ("a b", None), ("", None)],
)
def test_a_dataset_gets_the_scope_that_its_name_says(text: str, did: str | None) -> None:
    assert words.did(text) == did
