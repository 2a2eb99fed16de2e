"""How many intervals a report holds against no difference, and how many of them would be wrong if there were none."""

from __future__ import annotations

from harness.records import CONTROL
from harness.report.material import Material
from harness.report.metric import by_accuracy
from harness.report.words.phrases import trusted
from harness.support.format import decimals, listed, plural

FALSE_OF_ANSWERS = 0.10  # of 90 % intervals
FALSE_OF_SPEEDS = 0.05  # of 95 % intervals


def claims(material: Material) -> list[str]:
    """Say how often chance alone makes a report like this one tell a difference."""
    moved = "accuracy_drop" if by_accuracy(material.comparison.run) else material.primary.change
    answers = [r for r in trusted(material.rows) if r.interval(moved)]
    speeds = [
        r for r in material.rows if r.claims_latency and r.case.variant != CONTROL and r.interval("speedup_vs_float32")
    ]
    kinds = ((answers, material.primary.lowered, "Keras, 90 %"), (speeds, "speed", "float32, 95 %"))
    counts = [f"{len(rows)} of {what} against {whom}" for rows, what, whom in kinds if rows]
    if not counts:
        return []
    expected = FALSE_OF_ANSWERS * len(answers) + FALSE_OF_SPEEDS * len(speeds)
    intervals = plural(len(answers) + len(speeds), "interval")
    wrong = decimals(expected, 1)
    told = f"This report compares by {intervals}: {listed(counts)}."
    return [f"{told} If no variant differed at all, up to about {wrong} of them would still say that one does."]
