"""All state machines, for whoever walks over them: the reference pages, the schema's checks, the tests."""

from __future__ import annotations

from typing import Any

from pandawms.domain.block import BLOCK
from pandawms.domain.dataset import DATASET, DATASET_STATE
from pandawms.domain.event_range import EVENT_RANGE
from pandawms.domain.file import FILE
from pandawms.domain.job import JOB
from pandawms.domain.machine import Machine
from pandawms.domain.output_file import OUTPUT_FILE
from pandawms.domain.queue import QUEUE
from pandawms.domain.task import TASK
from pandawms.domain.worker import WORKER

MACHINES: tuple[Machine[Any, Any], ...] = (TASK, JOB, FILE, OUTPUT_FILE, DATASET, DATASET_STATE, BLOCK, EVENT_RANGE, WORKER, QUEUE)
