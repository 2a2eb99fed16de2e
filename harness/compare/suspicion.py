"""Why a row that was measured is suspect: its file, its answers, another output, or answers that follow the order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.compare.chance import at_chance, constant, copies
from harness.detection.decoders import DECODERS
from harness.measure.same_answers import answers_of, changed
from harness.metrics.discrepancy import explained_share, low_agreement, low_explained
from harness.metrics.heads import lost_parts
from harness.metrics.scoring import Scorer
from harness.records import Case, Run
from harness.support.functions import is_reference

TEST_SET = "the test set"
MOST_NAMED = 5  # samples
RANDOM = "{} of {} answers differ where the same samples are asked twice in the same order: the model is random"
ORDER = "{} of {} answers change when the {} are asked in another order: the model keeps state{}, or is random"


@dataclass(frozen=True)
class Doubts:
    """reason: all of them, and what is odd though not suspect, "" for none; bars: those that keep every rule on answers
    from passing; chance: why an accuracy proves nothing. outputs: of several with labels, the doubts of each by itself;
    bars and chance of the row are then what is of none of these.
    """

    suspect: bool = False
    reason: str = ""
    bars: str = ""
    chance: str = ""
    outputs: dict[str, Doubts] = field(default_factory=dict)


def doubts_of(
    run: Run,
    case: Case,
    outputs: tuple[np.ndarray, ...] | None,
    answered: Sequence[tuple[Scorer, np.ndarray | None]],
) -> Doubts:
    """What is doubtful of a row that was measured. Its metrics are found all the same. answered: of each labelled
    output, or the scored one, its scorer and its samples.
    """
    variant = run.variant(case.variant)
    plain, bars = [variant.reason] if variant.status == "suspect" else [], [*moving(run, case)]
    each: dict[str, OfOutput] = {}
    if outputs is not None:
        bars += lost_outputs(run, outputs, [place for scorer, _ in answered for place in read_by(scorer)])
        each = {
            run.outputs[scorer.index]: of_output(scorer, samples, outputs[scorer.index], not plain or len(answered) > 1)
            for scorer, samples in answered
            if samples is not None and len(samples)
        }
    if len(each) > 1:
        return of_several(plain, bars, each, copies(run))
    own = next(iter(each.values()), OfOutput())
    plain, bars = [*plain, *own.far], [*bars, *own.lost]
    reason = "; ".join(filter(None, [*plain, *bars, copies(run), own.odd, own.chance]))
    return Doubts(bool(plain or bars), reason, "; ".join(bars), own.chance)


def of_several(plain: list[str], bars: list[str], each: dict[str, OfOutput], copied: str) -> Doubts:
    """The doubts of a row with several labelled outputs: each of them may be lost by itself."""
    outputs = {name: own.doubts for name, own in each.items()}
    own_words = [f"output {name}: {found.reason}" for name, found in outputs.items() if found.reason]
    suspect = bool(plain or bars) or any(found.suspect for found in outputs.values())
    return Doubts(suspect, "; ".join(filter(None, [*plain, *bars, copied, *own_words])), "; ".join(bars), "", outputs)


@dataclass(frozen=True)
class OfOutput:
    """What is doubtful of the answers of one output. far: why it is suspect; lost: why no rule on it may pass."""

    far: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    odd: str = ""
    chance: str = ""

    @property
    def doubts(self) -> Doubts:
        reason = "; ".join(filter(None, [*self.far, *self.lost, self.odd, self.chance]))
        return Doubts(bool(self.far or self.lost), reason, "; ".join(self.lost), self.chance)


def of_output(scorer: Scorer, samples: np.ndarray, given: np.ndarray, looked: bool) -> OfOutput:
    """looked: whether to look how far the answers are off: not where the file's check has said the same already."""
    run = scorer.run
    far = list(filter(None, [far_off(samples, scorer)])) if looked else []
    whole = scorer.of_classes or scorer.kind.join or scorer.kind.of_input  # a column by itself is no answer
    by_column = looked and not far and not whole
    lost = lost_parts(scorer.raw, given, whole=False) if by_column else []
    named = [f"output {run.outputs[scorer.index]}: {told}" for told in lost]
    odd, collapsed = constant(run, samples)
    bars, odd = ([*named, odd], "") if collapsed else (named, odd)
    return OfOutput(tuple(far), tuple(bars), odd, at_chance(run, samples))


def far_off(samples: np.ndarray, scorer: Scorer) -> str:
    """Why the outputs are suspect: not finite, or too far from the baseline to be merely lossy. "" if they are not."""
    if unknown := [scorer.run.number_of(n) for n in np.flatnonzero(~np.isfinite(samples["max_abs_diff"])).tolist()]:
        keras = f", {scorer.unknown} of them Keras' own" if scorer.unknown else ""
        which = ", ".join(map(str, unknown[:MOST_NAMED])) + (" …" if len(unknown) > MOST_NAMED else "")
        have = "sample has" if len(unknown) == 1 else "samples have"
        return f"{len(unknown)} {have} scores that are not finite{keras}: {which}"
    if scorer.kind.doubt:
        return scorer.kind.doubt(samples)
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


def read_by(scorer: Scorer) -> list[int]:
    """Returns the places of the outputs that the answers are made of: a decoder's, whose rows may come in another
    order, are not compared number by number; of a user's own decoder all, since what it reads is not known.
    """
    scoring, names = scorer.run.scoring, scorer.run.outputs
    if (points := scoring.keypoints) and is_reference(points.decoder):
        return list(range(len(names)))
    if (how := scoring.detection) is None or not scorer.kind.join:
        return [scorer.index]
    if how.decoder not in DECODERS:
        return list(range(len(names)))
    return [scorer.index, *(n for n, name in enumerate(names) if name in how.reads)]


def lost_outputs(run: Run, outputs: tuple[np.ndarray, ...], scored: Sequence[int]) -> list[str]:
    """The outputs beside the scored ones, and columns of an output, that no longer say what the baseline's do."""
    return [
        f"output {run.outputs[n]}: {told}"
        for n, (given, wanted) in enumerate(zip(outputs, run.baseline, strict=True))
        if n not in (*scored, *(c.yielded for c in run.state))  # state counts by what it does to the answers
        for told in lost_parts(wanted, given)
    ]
