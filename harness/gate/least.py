"""The fewest samples of a rule whose chances nobody can tell beforehand, and what can be said of it instead."""

from __future__ import annotations

import numpy as np

from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.task import FRAMES, MASKS
from harness.statistics.bootstrap import FEWEST_SAMPLES
from harness.statistics.exact import fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.stats import CLAIM_ROUNDS

NAMED = 5  # classes in one sentence
BY_CLASS = ("f1", "balanced_accuracy", "auc")
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
    return (FEWEST_SAMPLES, UNBOUNDED) if rule.metric in RESAMPLED else (None, NOT_KNOWN)


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


def rarest(rule: Rule, labels: np.ndarray) -> str:
    """Says how much the rarest class may hide, from which a score of classes can be bounded."""
    classes, sizes = np.unique(labels, return_counts=True)
    label, size = classes[sizes.argmin()], int(sizes.min())
    hidden = 100 * (1 - rule.alpha ** (1 / size))
    return f"class {label} is the rarest, with {size:,}: where none gets worse, up to {hidden:.2g} % may"
