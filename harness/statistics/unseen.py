"""What units of unequal weight may hide, none of which was seen to go wrong: identities, or groups of samples.

Unit i moves a value by wᵢ where it goes wrong, and nobody knows how probable that is, qᵢ. A model at a limit loses
Σ wᵢqᵢ, all the room that there is. Of all such models the one that hides best has the largest Π (1 − qᵢ): there is a c
with 1 − qᵢ = min(1, c / wᵢ), as Lagrange's condition says, so that heavy units alone go wrong. Of n units of one weight
that is (1 − share)ⁿ, as by Clopper and Pearson (Biometrika 26, 1934, 404–413).
"""

from __future__ import annotations

import math

import numpy as np


def unseen_p(weights: np.ndarray, room: float) -> float:
    """Returns the largest probability that no unit goes wrong, of models that lose the room in the mean.

    weights: how far each unit moves the value, (units,), 0 or more.
    """
    if room <= 0:
        return 1.0
    heavy = heaviest(weights)
    totals, counts = np.cumsum(heavy), np.arange(1, len(heavy) + 1)
    if not len(heavy) or room >= totals[-1]:
        return 0.0
    k = first_that_ends(heavy, (totals - room) / counts)
    return float(np.prod((totals[k] - room) / counts[k] / heavy[: k + 1]))


def fewest_to_show(weights: np.ndarray, room: float, alpha: float) -> int | None:
    """Returns how many units like these show, if none of them goes wrong, that less is lost than the room: k times as
    many hide it with a probability to the power of k. None: no number does.
    """
    unseen = unseen_p(weights, room)
    if unseen >= 1:
        return None
    return math.ceil(len(weights) * math.log(alpha) / math.log(unseen)) if unseen > 0 else 1


def unseen_loss(weights: np.ndarray, alpha: float) -> float:
    """Returns the largest loss in the mean that has a probability of α that no unit goes wrong."""
    heavy = heaviest(weights)
    if not len(heavy):
        return 0.0
    counts = np.arange(1, len(heavy) + 1)
    cuts = np.exp((np.log(alpha) + np.cumsum(np.log(heavy))) / counts)
    k = first_that_ends(heavy, cuts)
    return float((heavy[: k + 1] - cuts[k]).sum())


def heaviest(weights: np.ndarray) -> np.ndarray:
    """Returns those over 0, the heaviest first."""
    return np.sort(weights[weights > 0])[::-1]


def first_that_ends(heavy: np.ndarray, cuts: np.ndarray) -> int:
    """Returns the place of the last unit that goes wrong: the next one is no heavier than the cut. cuts: c, if so many
    go wrong.
    """
    return int((cuts >= np.append(heavy[1:], 0.0)).argmax())
