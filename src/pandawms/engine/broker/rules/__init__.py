"""The rules of brokerage, one a file, in the order in which they are asked: cheap and telling ones first.

To add one: write a file like its neighbours, put its instance into `LASTING` or `PASSING`, and give it a test.
A rule of a site's own needs no change here: see examples/plugin.
"""

from pandawms.engine.broker.rules.architecture import ARCHITECTURE
from pandawms.engine.broker.rules.avoided import AVOIDED
from pandawms.engine.broker.rules.backlog import BACKLOG
from pandawms.engine.broker.rules.community import COMMUNITY
from pandawms.engine.broker.rules.gpu_model import GPU_MODEL
from pandawms.engine.broker.rules.input_data import INPUT_DATA
from pandawms.engine.broker.rules.listed import LISTED
from pandawms.engine.broker.rules.output_storage import OUTPUT_STORAGE
from pandawms.engine.broker.rules.size import CORES, DISK, GPU_MEMORY, GPUS, MEMORY, NODES, WALL_TIME
from pandawms.engine.broker.rules.status import STATUS
from pandawms.plugins.broker_rule import BrokerRule

LASTING: tuple[BrokerRule, ...] = (LISTED, COMMUNITY, ARCHITECTURE, GPUS, GPU_MODEL, GPU_MEMORY, NODES, CORES, MEMORY, DISK, WALL_TIME)
"""Rules whose verdict does not change by waiting: a task that no queue passes can never run."""

PASSING: tuple[BrokerRule, ...] = (STATUS, AVOIDED, INPUT_DATA, OUTPUT_STORAGE, BACKLOG)
"""Rules whose verdict may change by itself."""

RULES: tuple[BrokerRule, ...] = LASTING + PASSING
