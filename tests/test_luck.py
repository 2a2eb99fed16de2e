"""What ten draws of the calibration samples say, with made draws: which rows have any, and what counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.errors import ConfigError, JobFailed
from harness.records import Case, Variant
from harness.report.words.cure_words import luck_words
from harness.treatment.luck import Luck, luck_of
from harness.treatment.remedies import Remedy
from harness.treatment.verdict_on import Judged

REFUSED = "the engine does not take it"


class MadePatient:
    """A row that passes. failing, refused: the seeds of draws that do not, and that the engine refuses."""

    def __init__(self, own: Variant, failing: tuple[int, ...] = (), refused: tuple[int, ...] = ()) -> None:
        self.case = Case(own.name, "local", "ai-edge-litert", 1)
        self.run = SimpleNamespace(run_id="r", variant=lambda name: own)
        self.policy = SimpleNamespace(rules=(), source="policy.toml")
        self.failing, self.refused = failing, refused

    def judge_all(self, file: Variant) -> Judged:
        return Judged("pass", 100, 0, 0, 0)

    def judged_on_all(self, file: Variant) -> Judged:
        seed = int(file.name.rpartition("_")[2])
        if seed in self.refused:
            raise JobFailed(REFUSED)
        return Judged("fail" if seed in self.failing else "pass", 100, 0, seed, 0)


class MadeWorkshop:
    """Builds every draw but those of some seeds."""

    def __init__(self, training: int, unbuilt: tuple[int, ...] = ()) -> None:
        self.dataset = SimpleNamespace(train_inputs=([0] * training,))
        self.unbuilt, self.built = unbuilt, list[Remedy]()

    def build(self, remedy: Remedy) -> Variant:
        self.built.append(remedy)
        if remedy.recipe.seed in self.unbuilt:
            return Variant(remedy.name, "int8", status="failed", reason="conversion failed")
        return Variant(remedy.name, "int8", Path("x.tflite"), remedy.name, 1)


def row(name: str, recipe: str) -> Variant:
    return Variant(name, recipe, Path("own.tflite"), "own", 1)


def draws(patient: MadePatient, workshop: MadeWorkshop) -> Luck:
    made, builds = cast(Any, patient), cast(Any, workshop)
    return luck_of(made, builds, lambda text: None)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (row("int8_cured", "int8"), "changes int8"),
        (row("theirs", "import"), "not one of the harness"),
        (row("mine", "recipes.py:mine"), "not one of the harness"),
        (row("float16", "float16"), "not calibrated"),
    ],
)
def test_a_row_whose_file_no_draw_would_make_is_refused(own, told):
    workshop = MadeWorkshop(2_000)
    with pytest.raises(ConfigError, match=told) as caught:
        draws(MadePatient(own), workshop)
    assert "--variant" in caught.value.advice and workshop.built == []


def test_what_was_not_judged_does_not_count_and_is_named():
    """Where none of six is other, the limit p is where that happens in 5 %: (1 − p)⁶ = 0.05."""
    patient = MadePatient(row("int8", "int8"), refused=(2,))
    found = draws(patient, MadeWorkshop(2_000, unbuilt=(5, 6, 7)))
    assert len(found.draws) == 10 and found.other == 0
    assert found.other_at_most == pytest.approx(1 - 0.05 ** (1 / 6))
    assert [draw.seed for draw in found.unjudged] == [2, 5, 6, 7] and found.draws[1].reason == REFUSED
    assert "Draws without a verdict: 2, 5, 6 and 7." in luck_words(found)
    assert "0 of 6 draws with a verdict" in luck_words(found)


def test_one_of_another_verdict_is_counted():
    found = draws(MadePatient(row("int8", "int8"), failing=(1, 9)), MadeWorkshop(2_000))
    assert found.other == 2 and found.drops_pp == tuple(range(1, 11))


def test_where_nothing_was_judged_nothing_is_said_of_all_draws():
    found = draws(MadePatient(row("int8", "int8")), MadeWorkshop(2_000, unbuilt=tuple(range(1, 11))))
    assert found.other_at_most is None and luck_words(found).endswith("So the draws say nothing.")


@pytest.mark.parametrize(("training", "drawn"), [(300, "again"), (501, "again"), (999, "again"), (1_000, "balanced")])
def test_few_samples_are_drawn_again_since_other_draws_would_be_the_same(training, drawn):
    workshop = MadeWorkshop(training)
    found = draws(MadePatient(row("int8", "int8")), workshop)
    assert found.drawn == drawn and {remedy.recipe.drawn for remedy in workshop.built} == {drawn}
    assert ("come twice" in luck_words(found)) == (drawn == "again")
