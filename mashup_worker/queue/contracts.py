"""Contracts of jobs: the types of `input_data` and `output_data` of `ai_jobs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.queue.job_inputs import (
    AnalyzeInput,
    JobInput,
    MashupInput,
    MasterInput,
    SeparateInput,
)
from mashup_worker.queue.job_outputs import (
    AnalyzeOutput,
    JobOutput,
    MashupOutput,
    MasterOutput,
    SeparateOutput,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.vocabulary import JobType


@dataclass(frozen=True)
class Contract:
    """Types of a job's input and output."""

    input: type[JobInput]
    output: type[JobOutput]


CONTRACTS: Mapping[JobType, Contract] = {
    "separate": Contract(SeparateInput, SeparateOutput),
    "analyze": Contract(AnalyzeInput, AnalyzeOutput),
    "mashup": Contract(MashupInput, MashupOutput),
    "master": Contract(MasterInput, MasterOutput),
}
"""Contract of each job type."""
