"""The frozen dataclasses that flow from room to room. Units stand in the names; None means unknown, never fine.

Experiment ─build─▶ Variant… ─measure─▶ Round, Shard, Audit ─▶ Run ─compare─▶ Comparison ─gate─▶ Verdict
"""

from harness.records.absent import Absent
from harness.records.adjusted import Adjusted
from harness.records.comparison import Change, Comparison, Standing
from harness.records.dataset import Carried, Dataset, Labelled
from harness.records.experiment import SEED, Experiment, ModelSource, Preprocessing
from harness.records.measurement import Audit, Blob, DeviceState, Environment, Job, Piece, Ran, Round, Shard, Timings
from harness.records.model import CONTROL, KERAS, Affine, Tensor, Variant
from harness.records.plan import (
    BY_DATA,
    Case,
    Declared,
    Detection,
    Head,
    Keypoints,
    Plan,
    Scoring,
    Target,
    Transcription,
)
from harness.records.run import Provenance, Run, TargetRecord
from harness.records.verdict import Answer, Finding, HeadVerdict, Verdict

__all__ = [
    "BY_DATA",
    "CONTROL",
    "KERAS",
    "SEED",
    "Absent",
    "Adjusted",
    "Affine",
    "Answer",
    "Audit",
    "Blob",
    "Carried",
    "Case",
    "Change",
    "Comparison",
    "Dataset",
    "Declared",
    "Detection",
    "DeviceState",
    "Environment",
    "Experiment",
    "Finding",
    "Head",
    "HeadVerdict",
    "Job",
    "Keypoints",
    "Labelled",
    "ModelSource",
    "Piece",
    "Plan",
    "Preprocessing",
    "Provenance",
    "Ran",
    "Round",
    "Run",
    "Scoring",
    "Shard",
    "Standing",
    "Target",
    "TargetRecord",
    "Tensor",
    "Timings",
    "Transcription",
    "Variant",
    "Verdict",
]
