"""A slice of the campaign of tests/broken_models.py: one model with three outputs, built here, sound and broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import broken_models as campaign

MODEL = "heads"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(campaign, "MODELS", {MODEL: campaign.MODELS[MODEL]})
        campaign.folder_of(MODEL)
        yield tmp_path_factory.mktemp("broken")


def wrong(tries: Iterator[campaign.Tried]) -> list[str]:
    found = list(tries)
    assert found
    return [str(tried) for tried in found if not tried.right]


@pytest.mark.slow
def test_sound_files_of_a_model_have_no_cause(built: Path) -> None:
    assert wrong(campaign.sound()) == []


@pytest.mark.slow
def test_what_is_broken_in_a_model_is_named(built: Path) -> None:
    assert wrong(campaign.broken_builds()) == []
    assert wrong(campaign.broken_biases(built)) == []
    assert wrong(campaign.broken_head(built)) == []
    assert wrong(campaign.broken_scales(built, 6, 1)) == []


@pytest.mark.slow
def test_several_samples_at_once_are_answered_as_one(built: Path) -> None:
    """Its batch is open; float32 kernels may add up in another order, and answer the same."""
    found = campaign.explained(MODEL, campaign.folder_of(MODEL) / "float16.tflite", "float16")
    gap = next(gap for gap in found.gaps if gap.step == "batch")
    assert gap.flips == 0 and gap.samples == 96 and gap.largest is not None and gap.largest < 1e-5
