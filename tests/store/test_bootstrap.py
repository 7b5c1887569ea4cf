"""What `panda up` makes of the settings of the local site."""

from pathlib import Path

from pandawms.main import settings
from pandawms.main.bootstrap import bootstrap
from pandawms.store import places
from pandawms.store.database import connect
from tests.conftest import Database


async def test_the_local_queue_has_the_nodes_cores_and_gpus_of_panda_toml(database: Database, tmp_path: Path) -> None:
    lines = ["nodes = 2", "cores = 4", "gpus = 1", 'gpu_model = "NVIDIA A100"', "gpu_memory_mb = 40000", "memory_mb = 8000"]
    for text in ("", "\n".join(["[local]", *lines])):
        (tmp_path / settings.FILE).write_text(text)
        given = settings.load(tmp_path, {"PANDA_DATABASE_URL": database.url})
        await bootstrap(given, tmp_path)
    connection = await connect(settings.database_options(given, tmp_path), "test")
    (queue,) = await places.queues(connection)
    await connection.close()
    assert (queue.nodes, queue.cores, queue.gpus, queue.gpu_model, queue.gpu_memory_mb, queue.memory_mb) == (2, 4, 1, "NVIDIA A100", 40_000, 8000)
