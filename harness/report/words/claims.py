"""How many intervals a report holds against no difference, and how many of them would be wrong if there were none."""

from __future__ import annotations

from harness.records import CONTROL
from harness.report.material import Material
from harness.report.metric import by_accuracy
from harness.report.words.phrases import trusted
from harness.report.words.speed import runtime_pairs
from harness.support.format import decimals, listed, plural

FALSE_OF_ANSWERS = 0.10  # of 90 % intervals
FALSE_OF_SPEEDS = 0.05  # of 95 % intervals


def claims(material: Material) -> list[str]:
    """Say how often chance alone makes a report like this one tell a difference."""
    kinds = [kind for each in material.heads or (material,) for kind in of_answers(each)]
    kinds += [(speeds(material), "speed", "float32", FALSE_OF_SPEEDS)]
    kinds += [(runtimes(material), "the same file's speed", "another runtime", FALSE_OF_SPEEDS)]
    counts = [
        f"{count} of {what} against {whom}, {100 * (1 - false):.0f} %" for count, what, whom, false in kinds if count
    ]
    if not counts:
        return []
    wrong = decimals(sum(count * false for count, _, _, false in kinds), 2)
    told = f"This report compares by {plural(sum(kind[0] for kind in kinds), 'interval')}: {listed(counts)}."
    return [f"{told} If nothing differed at all, up to about {wrong} of them would still say that something does."]


def of_answers(material: Material) -> list[tuple[int, str, str, float]]:
    """Count the intervals of the metrics that the run, or one of its labelled outputs, is judged by first."""
    moved = {"accuracy_drop": "accuracy"}
    if not by_accuracy(material.comparison.run):
        moved[material.primary.change] = material.primary.lowered
    return [(counted(material, change), what, "Keras", FALSE_OF_ANSWERS) for change, what in moved.items()]


def counted(material: Material, change: str) -> int:
    return sum(row.interval(change) is not None for row in trusted(material.rows))


def speeds(material: Material) -> int:
    compared = (r for r in material.rows if r.claims_latency and r.case.variant != CONTROL)
    return sum(row.interval("speedup_vs_float32") is not None for row in compared)


def runtimes(material: Material) -> int:
    return sum(len(pairs) for pairs in runtime_pairs(material.comparison, material.rows).values())
