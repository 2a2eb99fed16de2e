"""The words of the domain as types. Each stands once here, as it stands in files; docs/glossary.md explains them."""

from __future__ import annotations

from typing import Literal, get_args

# How something ended.
FileStatus = Literal["ok", "suspect", "failed", "unsupported"]  # a .tflite file after its check
RowStatus = Literal["ok", "suspect", "failed", "unsupported", "invalid"]  # a case, once it was measured
RoundStatus = Literal["valid", "flagged", "repeated", "invalid", "failed"]
ShardStatus = Literal["ok", "failed", "unsupported"]  # unsupported: by an engine that has no kernel for the file

# What a run is asked.
Task = Literal[
    "classification",
    "multilabel",
    "segmentation",
    "frames",
    "detection",
    "keypoints",
    "transcription",
    "anomaly",
    "embedding",
    "regression",
    "agreement",
    "distance",
    "custom",
]
AnswerKind = Literal[
    "classes", "masks", "boxes", "points", "texts", "numbers"
]  # what a model says to a sample, as a report shows it
BoxFormat = Literal["xyxy", "yxyx", "cxcywh", "xywh"]
Place = Literal["first", "last"]  # of the blank among the classes
PointOrder = Literal["xy", "yx"]
Better = Literal["lower", "higher", ""]  # "": neither way is better, so it is shown and never judged
Against = Literal["keras", "float32", "reference", ""]  # what a value stands against; "": nothing
PieceKind = Literal["outputs", "audit", "latency"]  # a shard of the test set, an order audit, or a round
Reset = Literal["none", "variables", "interpreter"]  # what a model that keeps state needs before each sample
ModelKind = Literal["workload", "file", "saved_model", "function"]
SearchOrder = Literal["discrepancy", "error"]  # what comes first of samples that are looked for
FlipKind = Literal["", "right_to_wrong", "wrong_to_right", "wrong_to_wrong"]

# What a metric is about, and how a limit on it is decided.
About = Literal["answers", "file", "latency", "process"]  # in the order of every table
Judged = Literal[
    "accuracy", "drop", "class_drop", "flips", "flip_rate", "share", "noise", "of_sample", "samples", "rounds", "value"
]
Compared = Literal["", "drop", "flips", "exact", "rounds", "samples"]  # between two runs; "": it is not

# What is said of it.
# unknown: a difference without limits, or with too little to rest on; "": not judged
ChangeKind = Literal["improved", "similar", "regressed", "changed", "not_comparable", "missing", "unknown", ""]
Outcome = Literal["pass", "fail", "inconclusive", "invalid", "not_comparable", "missing"]
LimitKind = Literal["max", "min", "max_increase", "max_decrease"]
Mode = Literal["all", "any"]  # every variant must keep its rules, or any variant that keeps them may ship
OnInconclusive = Literal["fail", "warn"]
Level = Literal["refuse", "warn"]  # what a difference between two runs does to their comparison

FAILING: tuple[ChangeKind, ...] = (
    "regressed",
    "changed",
    "improved",
    "not_comparable",
    "missing",
    "unknown",
)  # of two runs
TASKS: tuple[Task, ...] = get_args(Task)
SEARCH_ORDERS: tuple[SearchOrder, ...] = get_args(SearchOrder)
FLIP_KINDS: tuple[FlipKind, ...] = get_args(FlipKind)
LIMIT_KINDS: tuple[LimitKind, ...] = get_args(LimitKind)
PAIRINGS: tuple[Against, ...] = ("keras", "float32", "reference")  # what answers to a test set may stand against
ABOUT: tuple[About, ...] = get_args(About)
