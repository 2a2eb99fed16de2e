"""The fewest samples of a rule whose chances nobody can tell beforehand, and what can be said of it instead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.gate.judge.grouped import effects_in, fewest_groups
from harness.gate.judge.resampled import Held, held_of
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.left_out import FEWEST_GROUPS
from harness.metrics.registry import Answers
from harness.metrics.task import ANOMALIES, FRAMES, MASKS
from harness.records import Absent
from harness.statistics.bootstrap import FEWEST_SAMPLES
from harness.statistics.clustered import sizes_of
from harness.statistics.exact import fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.power import smallest
from harness.statistics.stats import CLAIM_ROUNDS
from harness.statistics.unseen import fewest_to_show

NAMED = 5  # classes in one sentence
BY_CLASS = ("f1", "balanced_accuracy", "auc")
EDITS = ("wer", "cer")
UNBOUNDED_SHARES = ("r2", "abs_rel")  # what one sample adds has no end
MOST_SCORES = 20_000_000  # samples × classes: of more, classes are not looked at before a run
RESAMPLED = ("mae", "rmse", "r2", "distance", "sqnr", "ece", "label_f1", "wer", "cer")
ROUNDS = (
    "{} rounds or more; how close to the limit they decide depends on how much the machine's rounds differ: "
    "`harness aa` measures that"
)
EXACT = "it is decided by its value, in which nothing is left to chance"
OF_THIS_SET = "it is of these samples alone: one flip fails it"
EVERY = "so few samples cannot have so many flips: give a lower limit"
NO_PROOF = "no number of samples can show a rate of exactly 0 or 100 %: give a limit between"
OF_FLIPS = "not known: it depends on how many answers differ already in what it stands against"
UNBOUNDED = (
    "with so many samples it can pass, if enough of them carry the spread; how often is not known: that depends on "
    "how the model's errors are spread"
)
NOT_KNOWN = "how often it passes is not known before the model has answered"
RATIO = "not known: it depends on how often Keras is right in each class, so measure it first"
RIGHT = "Keras is supposed right in {:.3g} %{}"
BY_SHARES = "how often it passes is not known: that depends on which classes change"
NO_LABELS = "of a number of samples alone the classes are not known: name an experiment"
NO_NUMBER = "only an improvement can pass it"


def at_least(rule: Rule, metric: Metric | None, labels: np.ndarray | None) -> tuple[int | None, str]:
    """Returns the fewest samples of a rule whose chances nobody can tell beforehand, and what can be said instead."""
    judged = metric.judged if metric else "samples"
    if judged == "rounds":
        return None, ROUNDS.format(CLAIM_ROUNDS)
    if judged == "value":
        return None, EXACT
    if rule.limit.absolute and judged in ("accuracy", "share", "flips", "flip_rate"):
        return None, (OF_THIS_SET if rule.limit.value == 0 else EVERY) if judged == "flips" else NO_PROOF
    if judged == "flips":
        return None, OF_FLIPS
    if judged == "class_drop":
        return of_classes(rule, labels)
    if metric and metric.tasks in (MASKS, FRAMES):
        return None, BY_SHARES
    if rule.metric == "label_accuracy":
        return None, BY_SHARES.replace("classes", "samples")
    if judged == "samples" and rule.metric in BY_CLASS:
        return None, f"{BY_SHARES}; {NO_LABELS}"
    fewest = samples_that_pass(rule, metric, labels) if metric else None
    return (fewest, UNBOUNDED) if rule.metric in RESAMPLED else (fewest, NOT_KNOWN)


def of_classes(rule: Rule, labels: np.ndarray | None) -> tuple[int | None, str]:
    """Says which classes have too few samples to pass a drop in pp, even where none of them changes."""
    if rule.limit.relative:
        return None, RATIO
    fewest = fewest_to_pass(PairedLimit.of_difference(rule.limit.value / 100), rule.alpha)
    if fewest is None or labels is None:
        return None, f"each class takes {fewest:,} samples without a change; {NO_LABELS}" if fewest else NO_NUMBER
    classes, sizes = np.unique(labels, return_counts=True)
    few = [f"class {label} has {size:,}" for label, size in zip(classes, sizes, strict=True) if size < fewest]
    more = f" and {len(few) - NAMED} further classes have too few" if len(few) > NAMED else ""
    told = f"too few to pass without an improvement: {', '.join(few[:NAMED])}{more}" if few else "each class has enough"
    return None, f"each class takes {fewest:,} samples without a change; {told}"


def best_of(rule: Rule, metric: Metric, labels: np.ndarray | None) -> Held | None:
    """Returns what is held against the limit, of the best model that there can be: every answer is right, and none
    changes. None where labels alone do not say it. Raises Absent.
    """
    answers = right_answers(metric, labels) if labels is not None and len(labels) else None
    if answers is None or metric.statistic is None:
        return None
    best = metric.statistic(answers)
    return held_of(rule, metric, best, None if rule.limit.absolute else best, len(answers.outputs))


def right_answers(metric: Metric, labels: np.ndarray) -> Answers | None:
    """Returns answers that are all right; None where labels alone do not say them."""
    if metric.name == "label_f1" and labels.ndim == 2:
        return Answers(labels, labels.astype(np.float32), labels.astype(np.float32))
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim > 1:
        return None
    if metric.tasks == ANOMALIES:
        scores = labels.astype(np.float64)
        return Answers(labels, scores, scores)
    classes = max(int(labels.max()) + 1, 2)
    if metric.name not in BY_CLASS or classes * len(labels) > MOST_SCORES:
        return None
    right = np.eye(classes, dtype=np.float32)[labels]
    return Answers(labels, right, right)


def groups_that_pass(rule: Rule, metric: Metric, labels: np.ndarray | None, groups: np.ndarray) -> int | None:
    """Returns the fewest groups like these with which the best model that there can be passes; None: no number does.
    Where labels alone do not say what a group may lose, it is its share of the samples.
    """
    try:
        held = best_of(rule, metric, labels)
    except Absent:
        held = None
    if held:
        return fewest_groups(held, labels, groups, rule.alpha)
    if metric.unit != "fraction" or metric.name in UNBOUNDED_SHARES:
        return FEWEST_GROUPS
    sizes = sizes_of(groups)
    needed = fewest_to_show(sizes / sizes.sum(), room_of(rule), rule.alpha)
    return needed and max(FEWEST_GROUPS, needed)


def identities_that_pass(rule: Rule, moves: np.ndarray) -> int | None:
    """Returns the same of identities. moves: how far each moves the metric."""
    needed = fewest_to_show(moves, room_of(rule), rule.alpha)
    return needed and max(FEWEST_GROUPS, needed)


def samples_that_pass(rule: Rule, metric: Metric, labels: np.ndarray | None) -> int | None:
    """Returns the same of samples; None where nothing is known of it, too."""
    floor = FEWEST_SAMPLES if rule.metric in RESAMPLED else None
    if rule.metric in EDITS and not rule.limit.relative:
        return max(FEWEST_SAMPLES, fewest_of_share(room_of(rule), rule.alpha)) if room_of(rule) > 0 else None
    held = best_of(rule, metric, labels) if rule.metric == "label_f1" else None
    effects = effects_in(held) if held else None
    if held is None or effects is None or held.room <= 0:
        return floor
    seen, size = effects, held.count

    def shown(count: int) -> bool:
        return replace(seen, counts=count / size * seen.counts).p(held.limit, held.sign) <= rule.alpha

    return max(FEWEST_SAMPLES, smallest(shown, 1) or 0)


def room_of(rule: Rule) -> float:
    """Returns how much a score between 0 and 1 may lose, of the best model that there can be."""
    return 1 - rule.limit.value if rule.limit.kind == "min" else rule.limit.value


def fewest_of_share(limit: float, alpha: float) -> int:
    """Returns how many samples of which none counts against it have a probability under α at the limit."""
    return math.floor(math.log(alpha) / math.log1p(-limit)) + 1 if limit < 1 else 1


def rarest(rule: Rule, labels: np.ndarray) -> str:
    """Says how much the rarest class may hide, from which a score of classes can be bounded."""
    classes, sizes = np.unique(labels, return_counts=True)
    label, size = classes[sizes.argmin()], int(sizes.min())
    hidden = 100 * (1 - rule.alpha ** (1 / size))
    return f"class {label} is the rarest, with {size:,}: where none gets worse, up to {hidden:.2g} % may"
