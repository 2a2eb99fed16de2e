"""What was found → causes, each with its evidence and a way out. A rule is silent where nothing is wrong.

Each rule has a bar that models as the converter makes them do not reach; the bars stand beside the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.diagnosis.explanation import ENOUGH_SAMPLES, Cause
from harness.diagnosis.findings import REAL_LOSS_P, Found, moved_share
from harness.diagnosis.gaps import Gap
from harness.diagnosis.layers import INPUT, INPUT_PLACE, Layer
from harness.diagnosis.pairs import FIXED_SCALE
from harness.records import CONTROL
from harness.records.names import class_name, row_name
from harness.support.format import plural

NARROW_SHARE = 0.05  # of samples that are clipped, of a layer
NARROW_RMS = 0.5 / 255  # of what is clipped, as a share of the range: half a step of int8
WIDE_USED = 0.35  # of the range
OTHER_STEPS = 1.0  # rms between weights, where rounding makes .29
OTHER_GAIN = 0.1
COARSE_SHARE = 0.1  # of channels
LARGE_EFFECT = 0.3  # of the variant's error, by one layer alone
OTHER_ENGINE = 0.01  # of answers that differ between two engines
ONE_CLASS = 0.5  # of the answers lost
MOST_RANGES = 4  # causes of a kind that are told: where calibration is of other samples, nearly every range is wrong


def causes_of(found: Found) -> tuple[Cause, ...]:
    """The causes, those with the greatest effect first; then what is only seen of the answers."""
    every = [with_effect(cause, found) for rule in RULES for cause in rule(found)]
    roots = [cause for cause in every if not follows(cause, every, found)]
    order = shortened(sorted(roots, key=lambda cause: -(1.0 if cause.effect is None else cause.effect)))
    seen = [replace(cause, seen=True) for rule in SEEN for cause in rule(found)]
    natural = [] if order else [with_effect(cause, found) for cause in by_nature(found)]
    return (*order, *natural, *(cause for cause in seen if cause.kind != "softmax_resolution" or not order))


def shortened(causes: Sequence[Cause]) -> list[Cause]:
    """The first few ranges of a kind; the last of them says how many more there are."""
    shown = [cause for n, cause in enumerate(causes) if cause.kind not in RANGES or number_of(n, causes) < MOST_RANGES]
    for kind in RANGES:
        more = sum(cause.kind == kind for cause in causes) - MOST_RANGES
        if more > 0:
            last = max(n for n, cause in enumerate(shown) if cause.kind == kind)
            told = f"{shown[last].evidence}; so it is at {plural(more, 'further layer')}"
            shown[last] = replace(shown[last], evidence=told)
    return shown


def number_of(place: int, causes: Sequence[Cause]) -> int:
    """How many of its kind stand before it."""
    return sum(cause.kind == causes[place].kind for cause in causes[:place])


def with_effect(cause: Cause, found: Found) -> Cause:
    return cause if cause.place is None else replace(cause, effect=found.effect(cause.place))


def follows(cause: Cause, every: Sequence[Cause], found: Found) -> bool:
    """Whether another cause explains this one."""
    kinds = {other.kind for other in every}
    at_input = {other.kind for other in every if other.place == INPUT_PLACE}
    if "input_form" in kinds:
        # A file that prepares its inputs itself has other weights there; one that was calibrated so has not.
        inside = any(other.kind == "other_weights" and found.fed_first(other.place) for other in every)
        if cause.kind == "input_form":
            return not inside and bool(at_input)
        if inside:
            return cause.kind in RANGES or found.fed_first(cause.place)
    if cause.kind in RANGES and cause.place != INPUT_PLACE:
        return bool(at_input & RANGES)
    if cause.kind in ("dead_layer", "not_finite") and cause.place is not None:
        able = CONSTANTS if cause.kind == "not_finite" else CONSTANTS | RANGES | {"other_fixed_scale", "wild_channels"}
        causing = (other for other in every if other.kind in able)
        before = found.upstream.get(cause.place, frozenset()) | {INPUT_PLACE}
        return any(other.place in before for other in causing)
    if cause.kind == "other_bias_scale":
        fed = found.fed_by.get(cause.place, frozenset()) if cause.place is not None else frozenset()
        return any(o.tensor in fed or (o.kind == "other_weights" and o.place == cause.place) for o in every)
    return False


# --- the file itself ---


def other_weights(found: Found) -> Iterator[Cause]:
    for constant in found.constants:
        where, differs = f"{constant.name} of {constant.layer}", abs(constant.gain - 1) > OTHER_GAIN
        if constant.bias and constant.full:
            told = f"{constant.full:.1%} of its values stand at the end of int32"
            way = "give the layer a smaller bias, or keep it in float32"
            yield Cause("bias_overflow", where, told, way, constant.place)
        elif constant.bias and abs(constant.scale_gain - 1) > 0.02:
            told = f"its scale is {constant.scale_gain:.3g} times input scale × weight scale, which it has to be"
            yield Cause("other_bias_scale", where, told, "convert the model again", constant.place)
        elif differs and constant.rms_steps > OTHER_STEPS:
            told = f"its numbers are {constant.gain:.3g} times those of float32"
            yield Cause("other_weights", where, told, "convert the model again, and compare the files", constant.place)
        elif constant.rms_steps > OTHER_STEPS and not constant.bias:
            told = f"it differs from float32's by {constant.rms_steps:.2g} steps (rms), where rounding makes .29"
            yield Cause("other_weights", where, told, "convert the model again, and compare the files", constant.place)


def wild_channels(found: Found) -> Iterator[Cause]:
    for constant in found.constants:
        effect = found.effect(constant.place)
        if constant.coarse >= COARSE_SHARE and found.lost_much and effect is not None and effect >= LARGE_EFFECT:
            told = (
                f"one scale for all channels, whose sizes lie {constant.spread:,.0f} times apart: "
                f"{constant.coarse:.0%} of them have under 8 steps"
            )
            way = "quantise its weights by channel, as int8 does by default, or scale the channels alike"
            yield Cause("wild_channels", f"{constant.name} of {constant.layer}", told, way, constant.place)


# --- ranges ---


def too_narrow(found: Found) -> Iterator[Cause]:
    """Calibration saw smaller numbers than the test set has."""
    spared = spared_classes(found)
    for layer in clipped_layers(found):
        told = (
            f"it holds {layer.range_low:.4g} to {layer.range_high:.4g}, and float32 has {layer.low:.4g} to "
            f"{layer.high:.4g}: values of {layer.clipped.mean():.0%} of the samples looked at are clipped"
        )
        way = "calibrate with more samples, of the kinds that the test set has"
        if spared:
            told += f", of class {', '.join(spared)} of none: calibration may have been of that alone"
            way = "calibrate with samples of every class"
        elif layer.kind == INPUT:
            way = "calibrate with samples that are scaled as the test set is"
        kind = "calibration_one_class" if spared else "calibration_narrow"
        yield Cause(kind, layer.name, told, way, layer.place, tensor=layer.tensor)


def clipped_layers(found: Found) -> list[Layer]:
    """Those whose ranges are too narrow for the test set."""
    if len(found.places) < ENOUGH_SAMPLES:
        return []
    free = (layer for layer in found.layers if layer.kind not in FIXED_SCALE)
    return [layer for layer in free if layer.clip_share >= NARROW_RMS and layer.clipped.mean() >= NARROW_SHARE]


def spared_classes(found: Found) -> list[str]:
    """The classes of which no sample is clipped, where that is no chance: as if calibration had been of them."""
    layers, columns = clipped_layers(found), found.column("label", "flip")
    if not layers or columns is None:
        return []
    classes = columns[0][list(found.places)]
    clipped = np.any([layer.clipped for layer in layers], axis=0)
    names, spared = np.unique(classes), []
    for name in names:
        mine = classes == name
        chance = (1 - clipped[~mine].mean()) ** mine.sum() if (~mine).any() else 1.0
        if not clipped[mine].any() and chance * len(names) < REAL_LOSS_P:
            spared.append(class_name(found.comparison.run, int(name)))
    return spared if len(spared) <= len(names) / 2 else []


def too_wide(found: Found) -> Iterator[Cause]:
    """Calibration saw far greater numbers than the test set has: few of the steps are used."""
    if len(found.places) < ENOUGH_SAMPLES:
        return
    by_tensor = {layer.tensor: layer for layer in found.layers}
    fixed = {layer.tensor for layer in found.layers if layer.kind in FIXED_SCALE}
    for group in found.shared:
        members = sorted((by_tensor[n] for n in group if n in by_tensor), key=lambda layer: layer.place)
        used = max((layer.used for layer in members if layer.used is not None), default=None)
        if used is None or used >= WIDE_USED or group & fixed or members[0].low == members[0].high:
            continue
        layer = members[0]
        told = (
            f"it holds {layer.range_low:.4g} to {layer.range_high:.4g}, and float32 has {layer.low:.4g} to "
            f"{layer.high:.4g}: {used:.0%} of its steps are used"
        )
        way = "look for outliers in the calibration set, or for another scaling than the test set's"
        yield Cause("calibration_wide", layer.name, told, way, layer.place, tensor=layer.tensor)


def other_fixed_scale(found: Found) -> Iterator[Cause]:
    """Some ops have one scale by the specification, whatever the data."""
    for layer in found.layers:
        if layer.kind not in FIXED_SCALE or layer.scale is None:
            continue
        steps = FIXED_SCALE[layer.kind][layer.dtype == "int16"]
        if steps and abs(layer.scale * steps - 1) > 0.01:
            told = f"its scale is {layer.scale:.4g}, and by the specification of TFLite 1/{steps}"
            yield Cause("other_fixed_scale", layer.name, told, "convert the model again", layer.place)


# --- layers and answers ---


def by_nature(found: Found) -> Iterator[Cause]:
    """One layer alone makes much of the error, and no range or weight says why."""
    worst = max(found.alone, key=lambda each: each.error_share, default=None)
    if worst is None or not found.lost_much or worst.error_share < LARGE_EFFECT:
        return
    layer = next(layer for layer in found.layers if layer.place == worst.place)
    added = "" if layer.added_db is None else f"; its own error lies {layer.added_db:.1f} dB under its numbers"
    told = f"this layer alone makes {worst.error_share:.0%} of the variant's error{added}"
    yield Cause("layer_by_nature", layer.name, told, "keep this layer in float32, or take int16x8", layer.place)


def dead_outputs(found: Found) -> Iterator[Cause]:
    for layer in found.layers:
        if layer.not_finite:
            told = "it gives numbers that are not finite"
            yield Cause("not_finite", layer.name, told, "keep this layer in float32", layer.place)
            return
        if layer.constant:
            told = "it gives the same for every sample, and float32 does not"
            way = "look at the scale of this layer and of what it gets"
            yield Cause("dead_layer", layer.name, told, way, layer.place)
            return


def ties(found: Found) -> Iterator[Cause]:
    columns = found.column("tie", "flip")
    if columns is None or not found.lost_much:
        return
    tie, flips = (column.astype(bool) for column in columns)
    tied = int(np.sum(flips & tie))
    if tied >= 5 and tied >= flips.sum() / 2:
        told = f"{tied} of {flips.sum()} flips are ties: the two highest scores are one integer"
        way = "give the scores before the softmax as the output, or take float outputs (int8_float_io does not help)"
        yield Cause("softmax_resolution", "the scored output", told, way)


def one_class(found: Found) -> Iterator[Cause]:
    """One class has most of the losses, more than its share of the samples explains."""
    columns = found.column("label", "baseline_correct", "correct", "flip")
    if columns is None or not found.lost_much:
        return
    from scipy.stats import binomtest

    label, before, after = columns[0], columns[1].astype(bool), columns[2].astype(bool)
    lost = before & ~after
    labels, counts = np.unique(label[lost], return_counts=True)
    if not len(labels):
        return
    worst, count = int(labels[np.argmax(counts)]), int(counts.max())
    share = float(np.mean(label[before] == worst))
    many = count >= ONE_CLASS * lost.sum() and count >= 5
    if many and binomtest(count, int(lost.sum()), share, alternative="greater").pvalue * len(labels) < REAL_LOSS_P:
        told = f"{count} of {lost.sum()} lost answers are of this class, which had {share:.0%} of the right ones"
        way = "give calibration more samples of this class"
        yield Cause("one_class", f"class {class_name(found.comparison.run, worst)}", told, way)


def one_head(found: Found) -> Iterator[Cause]:
    outputs = found.comparison.outputs.get(found.case, ())
    run = found.comparison.run
    shares = {name: moved_share(*pair) for name, *pair in zip(run.outputs, outputs, run.baseline, strict=False)}
    if len(shares) < 2:
        return
    worst, *others = sorted(shares, key=lambda name: -shares[name])
    if shares[worst] > 0.1 and shares[worst] > 5 * max(shares[name] for name in others):
        told = f"its error is {shares[worst]:.2f} of its own spread, that of the others {shares[others[0]]:.2f} at most"
        yield Cause("one_head", f"output {worst}", told, "give this output a range of its own, or keep it in float32")


# --- before and beside the file ---


def conversion(found: Found) -> Iterator[Cause]:
    gap = found.gap("conversion")
    if gap and gap.flips is not None and gap.flips > OTHER_ENGINE * gap.samples:
        told = f"float32 answers otherwise than the baseline for {gap.flips} of {plural(gap.samples, 'sample')}"
        yield Cause("conversion", "float32", told, "mend the conversion first: every variant has this difference")


def other_engine(found: Found) -> Iterator[Cause]:
    """The same file answers otherwise on another row, and float32 does not."""
    for other in found.comparison.samples:
        gap = found.beside(found.case, other)
        if gap is None or other.variant != found.case.variant or not differs(gap):
            continue
        floats = found.beside(*(replace(case, variant=CONTROL) for case in (found.case, other)))
        if floats is None or differs(floats):
            continue
        own, theirs = (int(found.comparison.samples[case]["flip"].sum()) for case in (found.case, other))
        told = (
            f"the same file answers otherwise for {gap.flips} of {plural(gap.samples, 'sample')} on {row_name(other)},"
            f" and float32 for {floats.flips}"
        )
        way = "neither is nearer to the baseline: see which one gives what other engines give"
        if own != theirs:
            nearer = other if theirs < own else found.case
            way = f"{row_name(nearer)} is nearer to the baseline, by {min(own, theirs)} flips to {max(own, theirs)}"
        yield Cause("other_engine", row_name(found.case), told, way)


def differs(gap: Gap) -> bool:
    return gap.flips is not None and gap.flips > OTHER_ENGINE * gap.samples


def input_form(found: Found) -> Iterator[Cause]:
    best = max(found.input_forms, key=lambda form: form[2], default=None)
    if best and best[2] >= 0.8 and best[2] - best[1] >= 0.3:
        what, before, after = best
        told = f"with {what} it agrees with float32 for {after:.0%} of those looked at, as it is for {before:.0%}"
        if not found.has_classes:
            told = f"with {what} it explains {after:.0%} of the variation in float32's numbers, as it is {before:.0%}"
        yield Cause("input_form", "the input", told, f"give this file its inputs so: {what}")


def output_form(found: Found) -> Iterator[Cause]:
    """The outputs are float32's by a factor and an offset."""
    if found.scored is None:
        return
    own, exact = (np.ravel(each).astype(np.float64) for each in found.scored)
    if own.shape != exact.shape or not np.isfinite(own).all() or exact.std() == 0 or own.std() == 0:
        return
    gain = float(np.corrcoef(own, exact)[0, 1] * own.std() / exact.std())
    straight = float(np.corrcoef(own, exact)[0, 1]) ** 2
    offset = float(own.mean() - gain * exact.mean())
    if straight > 0.98 and (abs(gain - 1) > 0.2 or abs(offset) > exact.std() / 2):
        sign = "+" if offset >= 0 else "−"
        told = f"its numbers are {gain:.4g} × the baseline's {sign} {abs(offset):.4g} (R² {straight:.3f})"
        yield Cause("output_form", "the scored output", told, "dequantise the output, or undo that factor")


RULES = (
    conversion, input_form, output_form, other_engine, other_weights, other_fixed_scale, wild_channels, too_narrow,
    too_wide, dead_outputs,
)  # fmt: skip
SEEN = (ties, one_class, one_head)  # in the answers alone
RANGES = {"calibration_narrow", "calibration_wide", "calibration_one_class"}
CONSTANTS = {"other_weights", "other_bias_scale", "bias_overflow"}
