"""Why a variant answers otherwise, in sentences that every format shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.diagnosis.explanation import ENOUGH_SAMPLES, Cause, Explanation
from harness.diagnosis.gaps import Gap
from harness.diagnosis.op_times import NOT_ASKED
from harness.records.names import row_name
from harness.report.words.summary import Sentence, Sentences
from harness.support.format import MICROSECONDS, listed, plural, significant

KINDS = {  # of a cause → what a reader calls it
    "conversion": "the conversion to float32 changes answers",
    "input_form": "the file wants its input in another form",
    "output_form": "the output is scaled",
    "other_engine": "the engines run the file otherwise",
    "other_weights": "the weights are not those of float32",
    "bias_overflow": "a bias is too large for its integers",
    "other_bias_scale": "a bias has the wrong scale",
    "other_fixed_scale": "a scale is not that of the specification",
    "wild_channels": "one scale for channels of very different size",
    "calibration_narrow": "calibration was too narrow",
    "calibration_one_class": "calibration was of too few classes",
    "calibration_wide": "calibration was too wide",
    "dead_layer": "a layer gives the same for every sample",
    "not_finite": "a layer gives numbers that are not finite",
    "layer_by_nature": "one layer quantises badly",
    "softmax_resolution": "the scores are too coarse to tell classes apart",
    "one_class": "one class has most of the losses",
    "one_head": "one output has most of the error",
}
MORE_SAMPLES = f"Explain it with --samples {ENOUGH_SAMPLES} or more; the test set has to have as many."


def title(found: Sequence[Explanation], run_id: str) -> str:
    """Name the page of these rows by what was found."""
    caused = [each for each in found if any(not cause.seen for cause in each.causes)]
    if not caused:
        return f"No cause was found: run {run_id}"
    return f"{'Why answers differ' if any(each.changed for each in caused) else 'What was found'}: run {run_id}"


def headline(found: Explanation) -> str:
    """What is the matter, in one sentence."""
    row, causes = row_name(found.case), [cause for cause in found.causes if not cause.seen]
    if causes:
        further = f", and {plural(len(causes) - 1, 'further cause')}" if len(causes) > 1 else ""
        return f"{row}: {KINDS[causes[0].kind]} ({causes[0].where}){further}."
    if not found.ranges_judged:
        seen = f", but {KINDS[found.causes[0].kind]}" if found.causes else ""
        few = f"{plural(len(found.samples), 'sample')} are too few to judge ranges by"
        return f"{row}: {few}; nothing else was found{seen}. {MORE_SAMPLES}"
    if found.causes:
        return f"{row}: no cause was found in its layers, ranges or weights; {KINDS[found.causes[0].kind]}."
    return f"{row}: nothing was found that explains a drop."


def cause_lines(cause: Cause) -> Iterator[str]:
    """What, where, by which evidence, and what to do."""
    yield f"{KINDS[cause.kind]}: {cause.where}"
    yield f"  {evidence(cause)}"
    yield f"  way out: {cause.way_out}"


def evidence(cause: Cause) -> str:
    effect = "" if cause.effect is None else f"; alone it makes {min(cause.effect, 9.99):.0%} of the variant's error"
    return f"{cause.evidence}{effect}"


def causes_in_words(found: Explanation) -> Sentences:
    """Each cause as a topic; where there is none, that."""
    if not found.causes:
        return Sentences((Sentence("No cause", headline(found)),))
    return Sentences(tuple(map(cause_in_words, found.causes)))


def cause_in_words(cause: Cause) -> Sentence:
    told = f"{in_capitals(cause.where)}: {evidence(cause)}. Way out: {cause.way_out}."
    return Sentence(in_capitals(KINDS[cause.kind]), told)


def in_capitals(words: str) -> str:
    """The words as they begin a sentence."""
    return f"{words[:1].upper()}{words[1:]}"


def gap_line(gap: Gap) -> str:
    """One step of the way, in words."""
    what = f"{gap.step}: {gap.before} → {gap.after}"
    if gap.equal:
        return f"{what}: bit-equal over {plural(gap.samples, 'sample')}"
    if gap.largest is None:
        return f"{what}: outputs of other shapes, or not finite"
    largest = f"largest difference {significant(gap.largest, 2)}"
    if gap.flips is None:
        return f"{what}: {largest}"
    flips = f"{gap.flips} of {plural(gap.samples, 'answer')} differ"
    lost = "" if gap.lost is None else f" ({gap.lost} lost, {gap.gained} gained)"
    return f"{what}: {flips}{lost}, {largest}"


def looked_at(found: Explanation) -> str:
    """Which samples were looked at."""
    rest = len(found.samples) - found.changed
    if not found.changed:
        return f"Looked at: {plural(rest, 'sample')} of the test set, of which no answer is known to have changed."
    return f"Looked at: {plural(found.changed, 'sample')} that it moved most, and {rest} others."


def times_in_words(found: Explanation) -> str:
    """What the times of the ops come to; "" where nobody asked for them."""
    times = found.times
    if times.whole_us is None or times.rest_us is None:
        return f"No times of ops: {times.reason}." if times.reason not in ("", NOT_ASKED) else ""
    slowest = sorted(times.ops, key=lambda op: -op.us)[:3]
    names = {layer.place: layer.name for layer in reversed(found.layers)}
    told = [f"{names.get(op.place, 'another op')} {op.us / times.whole_us:.0%}" for op in slowest]
    whole = f"The whole file takes {MICROSECONDS.with_unit(times.whole_us)} over {plural(times.rounds, 'round')}"
    rest = f"{times.rest_us / times.whole_us:.0%} is the rest: what the engine does between ops"
    if (longer := sum(op.alone_us for op in times.ops) / times.whole_us) > 1:
        rest = f"One by one they take {longer:.2f} times as long, so each is scaled to the whole"
    where = "theirs is in that of the others" if longer > 1 else "theirs is in the rest"
    untimed = f" Of {plural(times.untimed, 'op')} no time is known: {where}." if times.untimed else ""
    return f"{whole}; the slowest: {listed(told)}. {rest}.{untimed}"
