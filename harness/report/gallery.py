"""The samples where the variants went furthest from Keras, flips first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.records import Comparison
from harness.report.answers import Sample, sample_answers
from harness.report.material import Material, classifies
from harness.report.picture import picture_of

MOST = 18


@dataclass(frozen=True)
class Exhibit:
    """One sample to show, with its largest |Δ score| over the rows that are not suspect, and how many of them flip."""

    sample: Sample
    max_abs_diff: float
    flips: int


def exhibits(comparison: Comparison) -> tuple[Exhibit, ...]:
    """At most MOST samples: those with flips by max |Δ|, then the others by max |Δ|."""
    frame = comparison.samples
    if not classifies(comparison.run) or not len(frame):
        return ()
    sound = frame[["sample", "max_abs_diff", "flip"]][_sound(comparison)]
    worst = (sound if len(sound) else frame).groupby("sample").agg(delta=("max_abs_diff", "max"), flips=("flip", "sum"))
    worst = worst.assign(flipped=worst.flips > 0).sort_values(["flipped", "delta"], ascending=False, kind="stable")
    chosen = worst.head(MOST)
    return tuple(
        Exhibit(sample_answers(comparison, index), delta, flips)
        for index, delta, flips in zip(
            chosen.index.tolist(), chosen["delta"].tolist(), chosen["flips"].tolist(), strict=True
        )
    )


def _sound(comparison: Comparison) -> np.ndarray:
    """Which rows of the samples are not suspect."""
    frame, sound = comparison.samples, np.ones(len(comparison.samples), bool)
    for case in (s.case for s in comparison.standings if s.status == "suspect"):
        own = (frame.variant == case.variant) & (frame.target == case.target) & (frame.runtime == case.runtime)
        sound &= ~own.to_numpy()
    return sound


def absent(material: Material) -> str:
    """Why there are no pictures to show, or nothing."""
    if not len(material.comparison.samples):
        return "No row has outputs yet, so no sample can be compared."
    if picture_of(material.pictures, 0) is None:
        return (
            "The test inputs are no pictures, or are not at hand on this machine; the answers are shown without them."
        )
    return ""
