"""Why a row that was measured is suspect: its file, its answers, another output, or answers that follow the order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.compare.chance import at_chance, constant, copies
from harness.measure.same_answers import answers_of, changed
from harness.metrics.discrepancy import explained_share, low_agreement, low_explained
from harness.metrics.heads import lost_parts
from harness.metrics.scoring import Scorer
from harness.records import Case, Run

TEST_SET = "the test set"
RANDOM = "{} of {} answers differ where the same samples are asked twice in the same order: the model is random"
ORDER = "{} of {} answers change when the {} are asked in another order: the model keeps state{}, or is random"


@dataclass(frozen=True)
class Doubts:
    """reason: all of them, and what is odd though not suspect, "" for none; bars: those that keep every rule on answers
    from passing; chance: why an accuracy proves nothing.
    """

    suspect: bool = False
    reason: str = ""
    bars: str = ""
    chance: str = ""


def doubts_of(
    run: Run, case: Case, outputs: tuple[np.ndarray, ...] | None, samples: np.ndarray | None, scorer: Scorer
) -> Doubts:
    """What is doubtful of a row that was measured. Its metrics are found all the same."""
    variant = run.variant(case.variant)
    bars, odd, chance = [*moving(run, case)], "", ""
    plain = [variant.reason] if variant.status == "suspect" else []
    if outputs is not None and samples is not None and len(samples):
        if not plain and (reason := far_off(samples, scorer)):
            plain.append(reason)
        bars += lost_outputs(run, outputs, scorer, columns=not plain)
        odd, lost = constant(run, samples)
        if lost:
            bars, odd = [*bars, odd], ""
        chance = at_chance(run, samples)
    reason = "; ".join(filter(None, [*plain, *bars, copies(run), odd, chance]))
    return Doubts(bool(plain or bars), reason, "; ".join(bars), chance)


def far_off(samples: np.ndarray, scorer: Scorer) -> str:
    """Why the outputs are suspect: not finite, or too far from the baseline to be merely lossy. "" if they are not."""
    if unknown := int((~np.isfinite(samples["max_abs_diff"])).sum()):
        keras = f", {scorer.unknown} of them Keras' own" if scorer.unknown else ""
        return f"{unknown} samples have scores that are not finite{keras}"
    if scorer.of_classes:
        return low_agreement(1 - samples["flip"].mean(), "Keras", TEST_SET)
    error = float(np.square(samples["l2"], dtype=np.float64).sum())
    return low_explained(explained_share(error, scorer.variation), "Keras", TEST_SET)


# --- the order audit ---


def moving(run: Run, case: Case) -> Iterator[str]:
    """That answers of the row depend on chance, or on the samples before them. Nothing where there is no audit."""
    first = run.accuracy_case(case)
    audit = next((a for a in run.audits if a.case == first and a.status == "ok"), None)
    if audit is None:
        return
    count = len(audit.samples)
    one, other = ([np.asarray(y)[rows] for y in audit.outputs] for rows in (slice(count), slice(count, None)))
    if again := changed(one, other):
        yield RANDOM.format(again, count)
    elif moved := changed(answers_of(run, audit.case, audit.samples), one):
        what = ("samples", "") if run.clips is None else ("clips", " beyond a clip")
        yield ORDER.format(moved, count, *what)


# --- every output ---


def lost_outputs(run: Run, outputs: tuple[np.ndarray, ...], scorer: Scorer, columns: bool) -> list[str]:
    """The outputs, and columns of an output, that no longer say what the baseline's do.

    columns: whether those of the scored output are looked at, too; of scores of classes they never are.
    """
    reasons = []
    for n, (given, wanted) in enumerate(zip(outputs, run.baseline, strict=True)):
        scored = n == scorer.index
        if scored and (scorer.of_classes or not columns):
            continue
        reasons += [f"output {run.outputs[n]}: {told}" for told in lost_parts(wanted, given, whole=not scored)]
    return reasons
