"""What the figures say, in short sentences made from them. Where they carry no claim, a sentence says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.records import Comparison
from harness.report import primary
from harness.report.limits import limits
from harness.report.material import Material, classifies
from harness.report.phrases import by_variant, names, place, span, trusted
from harness.report.primary import by_accuracy
from harness.report.rounds import sentences
from harness.report.rows import Row, rows
from harness.report.selftest import self_tests
from harness.report.speed import disagreements, engines, speeds
from harness.report.timing import cautions
from harness.report.units import (
    decimals,
    listed,
    percent,
    plural,
    points,
    significant,
    size_scale,
    time_scale,
    whole,
)
from harness.samples import FLIP_KINDS, fields_of


@dataclass(frozen=True)
class Finding:
    """One sentence or two about one topic."""

    topic: str
    text: str


def headline(comparison: Comparison) -> str:
    """One sentence over the whole run, without a verdict."""
    run, shown = comparison.run, rows(comparison)
    drops = [v for r in trusted(shown) if (v := r.value("accuracy_drop")) is not None]
    drop = span("accuracy drop {} pp against Keras", drops, points)
    parts = [drop if by_accuracy(run) else primary.headline(comparison, shown)]
    p50 = [v for r in trusted(shown) if (v := r.value("latency_p50")) is not None and not r.emulated]
    parts.append(span(f"p50 {{}} {time_scale(p50).name}", p50, time_scale(p50).text))
    sizes = [v for r in shown if (v := r.value("size_bytes")) is not None]
    parts.append(span(f"{{}} {size_scale(sizes).name}", sizes, size_scale(sizes).text))
    where = (
        f"{plural(len(run.variants), 'variant')} of {run.experiment} on {listed([t.target.name for t in run.targets])}"
    )
    said = [p for p in parts if p]
    return f"{where}: {'; '.join(said)}." if said else f"{where}: nothing was measured."


def findings(material: Material) -> tuple[Finding, ...]:
    """What a reader should take away, most important first."""
    comparison = material.comparison
    shown = rows(comparison)
    metric = primary.primary(comparison)
    texts = {
        **({} if by_accuracy(comparison.run) else {metric.title: primary.sentences(comparison, shown)}),
        "Accuracy": _accuracy(shown),
        "Conversion": _conversion(shown) if classifies(comparison.run) else primary.conversion(shown),
        "Flips": _flips(comparison, shown),
        "Speed": speeds(shown),
        "Runtimes": [*engines(comparison, shown), *disagreements(comparison)],
        "Size": _sizes(shown),
        "Rounds": sentences(comparison),
        "Timing": cautions(comparison, shown),
        "Self-test": self_tests(material),
        "Limits": limits(comparison, shown),
    }
    return tuple(Finding(topic, " ".join(sentences)) for topic, sentences in texts.items() if sentences)


def _accuracy(shown: tuple[Row, ...]) -> list[str]:
    """Which variant costs what: a cost is an interval that lies above 0 as a whole."""
    found = [r for r in trusted(shown) if r.interval("accuracy_drop")]
    sentences = [_cost(group, found, "costs") for group in by_variant(r for r in found if _low(r) > 0).values()]
    sentences += [_cost(group, found, "gains") for group in by_variant(r for r in found if _high(r) < 0).values()]
    undecided = [r for r in found if _low(r) <= 0 <= _high(r)]
    if undecided:
        worst = max(_high(r) for r in undecided)
        sentences.append(
            f"For {names(undecided, found)} no change of accuracy is shown: each 90 % interval holds 0, "
            f"and a drop of up to {points(worst)} pp remains possible."
        )
    return sentences


def _low(row: Row) -> float:
    return (row.interval("accuracy_drop") or (0.0, 0.0))[0]


def _high(row: Row) -> float:
    return (row.interval("accuracy_drop") or (0.0, 0.0))[1]


def _cost(group: list[Row], among: list[Row], verb: str) -> str:
    ends = sorted(group, key=lambda r: abs(r.value("accuracy_drop") or 0), reverse=True)
    told = []
    for row in (ends[0], ends[-1]):
        sign = -1 if verb == "gains" else 1
        low, high = sorted((sign * _low(row), sign * _high(row)))
        text = f"{points(sign * (row.value('accuracy_drop') or 0))} pp (90 % interval {points(low)} to {points(high)})"
        told.append(text if len(group) == 1 else f"{text} with {place(row)}")
    same = told[0].split(" with ")[0] == told[-1].split(" with ")[0]
    return f"{names(group, among)} {verb} {told[0].split(' with ')[0] if same else ' and '.join(told)}."


def _conversion(shown: tuple[Row, ...]) -> list[str]:
    """The control against Keras: what float32 alone changes is conversion or preprocessing, not quantisation."""
    found = [r for r in shown if r in trusted(shown) and r.case.variant == "float32" and r.value("flips") is not None]
    if not found:
        return []
    worst = max(found, key=lambda r: (r.value("flips") or 0, r.value("max_abs_diff") or 0))
    flips, gap = worst.value("flips") or 0, significant(worst.value("max_abs_diff"), 2)
    if flips:
        text = (
            f"The control float32 answers {whole(flips)} of {plural(worst.samples or 0, 'sample')} differently from "
            f"Keras (max |Δ| {gap}, {place(worst)}): look for a fault in conversion or preprocessing before blaming "
            "quantisation."
        )
        return [text]
    return [f"The control float32 answers every sample as Keras does (max |Δ| {gap}): conversion adds no flip."]


def _flips(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    found = [r for r in trusted(shown) if r.value("flips") is not None]
    flipped = {name: [r for r in group if r.value("flips")] for name, group in by_variant(found).items()}
    told = [_flip_counts(comparison, max(g, key=lambda r: r.value("flips") or 0)) for g in flipped.values() if g]
    none = names([r for r in found if r.value("flips") == 0], found)
    sentences = [f"Answers that differ from Keras: {'; '.join(told)}."] if told else []
    return [
        *sentences,
        *([f"None with {none}."] if none and told else ["No answer differs from Keras."] if none else []),
    ]


def _flip_counts(comparison: Comparison, row: Row) -> str:
    text = (
        f"{row.case.variant} {whole(row.value('flips'))} of {whole(row.samples)} ({percent(row.value('flip_rate'))} %"
    )
    samples = comparison.samples[comparison.run.accuracy_case(row.case)]
    if "flip_kind" in fields_of(samples):
        counts = np.bincount(samples["flip_kind"], minlength=len(FLIP_KINDS)).tolist()
        kinds = sorted(zip(counts[1:], FLIP_KINDS[1:], strict=True), key=lambda kind: -kind[0])
        text += "".join(f", {count} {kind.replace('_to_', ' → ')}" for count, kind in kinds if count)
    return text + ")"


def _sizes(shown: tuple[Row, ...]) -> list[str]:
    sizes = {r.case.variant: size for r in shown if (size := r.value("size_bytes")) is not None}
    if len(sizes) < 2:
        return []
    smallest, scale = min(sizes, key=lambda n: sizes[n]), size_scale(list(sizes.values()))
    text = f"{smallest} is the smallest file, {scale.with_unit(sizes[smallest])}"
    if "float32" in sizes and smallest != "float32":
        share = decimals(100 * sizes[smallest] / sizes["float32"], 0)
        text += f", {share} % of float32 ({scale.with_unit(sizes['float32'])})"
    return [f"{text}."]
