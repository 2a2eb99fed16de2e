"""statistics/unseen.py: what units may hide, held against a search over all models, and against one weight for all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from harness.statistics.unseen import unseen_loss, unseen_p


def test_of_one_weight_it_is_what_clopper_and_pearson_say() -> None:
    """299 units of which one in 100 goes wrong hide that with .99^299; 1 − .05^(1/59) of 59 may go wrong."""
    assert unseen_p(np.full(299, 1 / 299), 0.01) == pytest.approx(0.99**299)
    assert unseen_loss(np.full(59, 1 / 59), 0.05) == pytest.approx(1 - 0.05 ** (1 / 59))


def test_of_unequal_ones_no_model_hides_better() -> None:
    weights = np.random.default_rng(1).pareto(1.5, 12) + 0.1
    weights /= weights.sum()
    room = 0.2
    loses_it = {"type": "eq", "fun": lambda q: weights @ q - room}
    best = minimize(
        lambda q: -np.log1p(-q).sum(), np.full(12, room), bounds=[(0, 0.999)] * 12, constraints=loses_it, method="SLSQP"
    )
    assert unseen_p(weights, room) == pytest.approx(np.exp(-best.fun), rel=1e-3)
    assert unseen_loss(weights, unseen_p(weights, room)) == pytest.approx(room)


def test_what_leaves_no_room_is_never_shown_and_what_nothing_can_reach_always() -> None:
    assert unseen_p(np.full(3, 1 / 3), 0.0) == 1 and unseen_p(np.full(3, 1 / 3), 1.0) == 0
    assert unseen_p(np.zeros(3), 0.1) == 0 and unseen_loss(np.zeros(3), 0.05) == 0
