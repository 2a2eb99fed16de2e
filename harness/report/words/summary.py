"""What the figures say, in short sentences made from them. Where they support no claim, a sentence says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.compare.rows import Row
from harness.metrics.discrepancy import fields_of
from harness.metrics.task_table import OF_CLASSES
from harness.records import CONTROL, Comparison
from harness.records.terms import FLIP_KINDS
from harness.report.material import Material
from harness.report.metric import by_accuracy
from harness.report.part import Block, Part
from harness.report.words import primary_metric as primary
from harness.report.words.claims import claims
from harness.report.words.false_alarms import self_tests
from harness.report.words.limitations import limits
from harness.report.words.next_session import next_sessions
from harness.report.words.phrases import aside, by_variant, names, place, span, trusted
from harness.report.words.precision import precision
from harness.report.words.round_quality import sentences as rounds_sentences
from harness.report.words.slow_kernels import why_not_faster
from harness.report.words.speed import disagreements, engines, speeds
from harness.report.words.timing import cautions
from harness.support.format import (
    decimals,
    listed,
    percent,
    plural,
    points,
    significant,
    size_scale,
    time_scale,
    whole,
    with_limits,
)


@dataclass(frozen=True)
class Sentence:
    """One or more sentences about one topic."""

    topic: str
    text: str


@dataclass(frozen=True)
class Sentences(Block):
    kind = "sentences"
    topics: tuple[Sentence, ...]


def in_words(material: Material) -> Part:
    return Part("", (Sentences(sentences(material)),))


def headline(material: Material) -> str:
    """Describe the whole run in one sentence, without a verdict."""
    run, shown = material.comparison.run, material.rows
    heads = [(head.comparison.run.scored_output, answers_headline(head)) for head in material.heads]
    parts = [f"{name}: {told}" for name, told in heads if told] or [answers_headline(material)]
    p50 = [v for r in trusted(shown) if (v := r.value("latency_p50")) is not None and not r.emulated]
    parts.append(span(f"p50 {{}} {time_scale(p50).name}", p50, time_scale(p50).text))
    sizes = [v for r in shown if (v := r.value("size_bytes")) is not None]
    parts.append(span(f"{{}} {size_scale(sizes).name}", sizes, size_scale(sizes).text))
    targets = listed(t.target.name for t in run.targets)
    figures = "; ".join(p for p in parts if p) or "nothing was measured"
    return f"{plural(len(run.variants), 'variant')} of {run.experiment} on {targets}: {figures}{aside(shown)}."


def answers_headline(material: Material) -> str:
    """Describe the answers of the whole run, or of one output, by the first metric; "" where no row can be trusted."""
    if not by_accuracy(material.comparison.run):
        return primary.headline(material.primary, material.rows)
    drops = [v for r in trusted(material.rows) if (v := r.value("accuracy_drop")) is not None]
    bases = {r.baseline_accuracy for r in material.rows if r.baseline_accuracy is not None}
    kerass = (
        f"Keras' {percent(bases.pop())} %" if len(bases) == 1 else "Keras"
    )  # rows may be of more samples or of fewer
    return span(f"accuracy drop {{}} pp against {kerass}", drops, points)


def sentences(material: Material) -> tuple[Sentence, ...]:
    """Say what a reader should take away, most important first."""
    comparison, shown, metric = material.comparison, material.rows, material.primary
    run = comparison.run
    of_heads = {f"Output {head.comparison.run.scored_output}": head_words(head) for head in material.heads}
    own = f" of {run.scored_output}" if of_heads else ""
    texts = {
        **of_heads,
        **({} if of_heads or by_accuracy(run) else {metric.title: primary.sentences(metric, shown)}),
        "Accuracy": [] if of_heads else accuracy_changes(shown),
        f"Conversion{own}": control_answers(shown) if run.task in OF_CLASSES else primary.conversion(shown),
        f"Flips{own}": flips_of(comparison, shown),
        "Speed": [*speeds(shown), *why_not_faster(shown)],
        "Runtimes": [*engines(comparison, shown), *disagreements(comparison, shown)],
        "Size": smallest_file(shown),
        "Rounds": [*rounds_sentences(comparison), *precision(comparison, shown)],
        "Timing": cautions(comparison, shown),
        "Next session": next_sessions(material),
        "Chance": claims(material),
        "Self-test": self_tests(material),
        "Limits": limits(comparison, shown),
    }
    return tuple(Sentence(topic, " ".join(parts)) for topic, parts in texts.items() if parts)


def head_words(head: Material) -> list[str]:
    """Say what each variant costs by the first metric of one of several labelled outputs."""
    metric, suspect = head.primary, [row for row in head.rows if row.standing.status == "suspect"]
    told = [f"{primary.row_text(row, metric)}; suspect: {row.standing.reason}." for row in suspect]
    accuracy = by_accuracy(head.comparison.run)
    return [*dict.fromkeys(told), *(accuracy_changes(head.rows) if accuracy else primary.sentences(metric, head.rows))]


def accuracy_changes(shown: tuple[Row, ...]) -> list[str]:
    """Say what each variant costs: a cost is an interval wholly above 0."""
    rows = [r for r in trusted(shown) if r.interval("accuracy_drop")]
    texts = [change_of(group, rows, "costs") for group in by_variant(r for r in rows if low_of(r) > 0).values()]
    texts += [change_of(group, rows, "gains") for group in by_variant(r for r in rows if high_of(r) < 0).values()]
    undecided = [r for r in rows if low_of(r) <= 0 <= high_of(r)]
    if undecided:
        worst, one = max(high_of(r) for r in undecided), len(undecided) == 1
        at_most = with_limits(points, None, 0.0, worst)[2]
        texts.append(
            f"No change of accuracy is shown for {names(undecided, rows)}: {'its' if one else 'each'} 90 % interval "
            f"includes 0, and a drop of up to {at_most} pp remains possible (95 % confidence"
            f"{'' if one else ' for each'})."
        )
    return texts


def low_of(row: Row) -> float:
    return (row.interval("accuracy_drop") or (0.0, 0.0))[0]


def high_of(row: Row) -> float:
    return (row.interval("accuracy_drop") or (0.0, 0.0))[1]


def change_of(group: list[Row], among: list[Row], verb: str) -> str:
    """Give the variant's largest and smallest change, or the one that all its rows share."""
    ordered = sorted(group, key=lambda r: abs(r.value("accuracy_drop") or 0), reverse=True)
    ends = {points_text(row, -1 if verb == "gains" else 1): row for row in (ordered[0], ordered[-1])}
    changes = [text if len(ends) == 1 else f"{text} with {place(row)}" for text, row in ends.items()]
    return f"{names(group, among)} {verb} {listed(changes)}."


def points_text(row: Row, sign: int) -> str:
    low, high = sorted((sign * low_of(row), sign * high_of(row)))
    drop, *ends = with_limits(points, sign * (row.value("accuracy_drop") or 0), low, high)
    return f"{drop} pp (90 % interval {ends[0]} to {ends[1]})"


def control_answers(shown: tuple[Row, ...]) -> list[str]:
    """Compare the control with Keras: what float32 alone changes is conversion or preprocessing, not quantisation."""
    rows = [r for r in trusted(shown) if r.case.variant == CONTROL and r.value("flips") is not None]
    if not rows:
        return []
    worst = max(rows, key=lambda r: (r.value("flips") or 0, r.value("max_abs_diff") or 0))
    flips, gap = worst.value("flips") or 0, significant(worst.value("max_abs_diff"), 2)
    if flips:
        text = (
            f"The control float32 answers {whole(flips)} of {plural(worst.samples or 0, 'sample')} differently from "
            f"Keras (max |Δ| {gap}, {place(worst)}): look for a fault in conversion or preprocessing before blaming "
            "quantisation."
        )
        return [text]
    same = f"The control float32 answers every sample as Keras does (max |Δ| {gap})"
    return [f"{same}{aside([r for r in shown if r.case.variant == CONTROL])}: conversion adds no flip."]


def flips_of(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    rows = [r for r in trusted(shown) if r.value("flips") is not None]
    flipped = {name: [r for r in group if r.value("flips")] for name, group in by_variant(rows).items()}
    counts = [flip_counts(comparison, max(g, key=lambda r: r.value("flips") or 0)) for g in flipped.values() if g]
    without = names([r for r in rows if r.value("flips") == 0], rows)
    if not counts:
        return [f"No answer differs from Keras{aside(shown)}."] if without else []
    return [f"Answers that differ from Keras: {'; '.join(counts)}.", *([f"None with {without}."] if without else [])]


def flip_counts(comparison: Comparison, row: Row) -> str:
    flips, rate = row.value("flips"), row.value("flip_rate")
    text = f"{row.case.variant} {whole(flips)} of {whole(row.samples)} ({percent(rate)} %"
    samples = comparison.samples[comparison.run.accuracy_case(row.case)]
    if "flip_kind" in fields_of(samples):
        counts = np.bincount(samples["flip_kind"], minlength=len(FLIP_KINDS)).tolist()
        kinds = sorted(zip(counts[1:], FLIP_KINDS[1:], strict=True), key=lambda kind: -kind[0])
        text += "".join(f", {count} {kind.replace('_to_', ' → ')}" for count, kind in kinds if count)
    return text + ")"


def smallest_file(shown: tuple[Row, ...]) -> list[str]:
    sizes = {r.case.variant: size for r in shown if (size := r.value("size_bytes")) is not None}
    if len(set(sizes.values())) < 2:
        return []
    least, scale = min(sizes.values()), size_scale(list(sizes.values()))
    smallest = [name for name, size in sizes.items() if size == least]
    are = "is the smallest file" if len(smallest) == 1 else "are the smallest files, each"
    text = f"{listed(smallest)} {are}{',' * (len(smallest) == 1)} {scale.with_unit(least)}"
    if CONTROL in sizes and CONTROL not in smallest:
        text += f", {share_text(least / sizes[CONTROL])} of {CONTROL} ({scale.with_unit(sizes[CONTROL])})"
    return [f"{text}."]


def share_text(share: float) -> str:
    """Write how small a file is in whole percent; what rounds to all of it is not all."""
    text = decimals(100 * share, 0)
    return "over 99 %" if text == "100" else f"{text} %"
