"""shuffled.py: a test set in another order, and what cannot be put into one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.data import shuffled as module
from harness.data.shuffled import shuffled
from harness.errors import DataError
from harness.records import Affine, Dataset, Labelled

COUNT = 40
SORTED = Dataset(
    "made",
    (),
    None,
    (np.arange(COUNT, dtype=np.uint8)[:, None], -np.arange(COUNT, dtype=np.float32)),
    np.arange(COUNT) // 10,
    (Affine(), Affine()),
    ("a", "b", "c", "d"),
    "made",
)


def test_every_sample_keeps_its_inputs_its_label_and_its_number() -> None:
    found = shuffled(SORTED, seed=1)
    assert found.numbers is not None and found.test_labels is not None
    assert sorted(found.numbers) == list(range(COUNT)) != found.numbers.tolist()
    assert (found.test_inputs[0][:, 0] == found.numbers).all() and (found.test_inputs[1] == -found.numbers).all()
    assert (found.test_labels == found.numbers // 10).all()


def test_the_order_is_the_seeds() -> None:
    assert shuffled(SORTED, 1).test_sha256 == shuffled(SORTED, 1).test_sha256
    assert len({shuffled(SORTED, seed).test_sha256 for seed in (1, 2, 3)} | {SORTED.test_sha256}) == 4


def test_the_first_half_of_sorted_labels_has_all_of_them() -> None:
    labels = shuffled(SORTED, 5).test_labels
    assert labels is not None and set(labels[: COUNT // 2]) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ({"clips": np.zeros(COUNT, np.int32)}, "belong together"),
        ({"groups": np.zeros(COUNT, np.int32)}, "belong together"),
        ({"queries": np.zeros(COUNT, bool)}, "a gallery and pairs are asked as a whole"),
        ({"pairs": np.array([[0, 1]])}, "a gallery and pairs are asked as a whole"),
        ({"test_labels": None}, "without labels"),
        ({"heads": {"other": Labelled(np.zeros(COUNT))}}, "needs one labelled output, and 2 have labels"),
    ],
)
def test_what_cannot_be_decided_sample_by_sample_is_refused(lacking: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        shuffled(replace(SORTED, **lacking), 1)
    assert "--until-decided" in caught.value.advice


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="can be shuffled"):
        shuffled(SORTED, 1)
