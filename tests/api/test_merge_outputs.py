"""What waits to be merged is no result of its task, in any list of the API."""

from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.engine.play import MERGE


async def test_lists_show_no_result_before_its_merge_has_succeeded(api: Api) -> None:
    task_id = await submitted(api, outputs={"out": "o.txt", "log": "l.txt"}, merge=MERGE)
    await api.world.settle()
    for job in await api.world.claim(10):
        await api.world.report(job)
    await api.world.settle()
    before = {output["stream"]: output for output in (await api.ada.get(f"/tasks/{task_id}/outputs")).json()["items"]}
    assert {stream: output["n_files"] for stream, output in before.items() if not output["is_transient"]} == {"log": 0, "whole": 0}
    for stream in ("log", "whole"):
        assert (await api.ada.get(f"/datasets/{before[stream]['dataset_id']}/files")).json()["items"] == []
    shown = (await api.ada.get(f"/tasks/{task_id}")).json()
    assert (shown["inputs"]["n_finished"] if "n_finished" in shown["inputs"] else shown["inputs"]["finished"]) == 0
    await api.world.run_all()
    after = {output["stream"]: output["n_files"] for output in (await api.ada.get(f"/tasks/{task_id}/outputs")).json()["items"] if not output["is_transient"]}
    assert after == {"log": 5, "whole": 1}
