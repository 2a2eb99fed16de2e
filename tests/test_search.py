"""The search over remedies, with made answers: how it ends, what it keeps, and how often a bad model passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from scipy.stats import binom

from harness.errors import JobFailed
from harness.gate.policy import parse_policy
from harness.records import Adjusted, Case, Variant
from harness.statistics.exact import exact_p
from harness.statistics.paired_limit import PairedLimit
from harness.treatment import stored_cure
from harness.treatment.cured import Cure
from harness.treatment.halves import Half
from harness.treatment.remedies import Layers, Remedy
from harness.treatment.search import Trial, search
from harness.treatment.verdict_on import Judged

ALPHA = 0.05


def remedy(n: int) -> Remedy:
    return Remedy(f"int8_cure_{n}", "calibration", f"number {n}", Adjusted("int8", seed=n))


def built(of: Remedy) -> Variant:
    return Variant(of.name, "int8", Path(f"{of.name}.tflite"), of.name, 1000)


REMEDIES = [remedy(n) for n in range(1, 6)]


class Answers:
    """Outcomes by the remedy's name and the half, and which were asked for."""

    def __init__(self, passing: dict[str, tuple[Half, ...]]) -> None:
        self.passing = passing
        self.asked: list[tuple[str, Half]] = []

    def ask(self, variant: Variant, half: Half) -> Judged:
        self.asked.append((variant.name, half))
        return Judged("pass" if half in self.passing.get(variant.name, ()) else "fail", 100)


def searched(answers: Answers, known: dict[Remedy, Trial] | None = None) -> tuple[tuple[Trial, ...], list[int]]:
    kept: list[int] = []
    trials = search(REMEDIES, built, answers.ask, known or {}, lambda _, trials: kept.append(len(trials)), "own")
    return trials, kept


def test_the_first_that_passes_is_judged_on_the_held_half_and_nothing_after_it():
    answers = Answers({"int8_cure_2": ("search", "held"), "int8_cure_3": ("search", "held")})
    trials, kept = searched(answers)
    assert [trial.remedy.name for trial in trials] == ["int8_cure_1", "int8_cure_2"]
    assert trials[-1].cures and trials[0].held is None
    assert answers.asked == [("int8_cure_1", "search"), ("int8_cure_2", "search"), ("int8_cure_2", "held")]
    assert kept == [1, 2, 2], "it is kept before the held half is looked at, and after"


def test_one_that_is_not_confirmed_ends_the_search():
    answers = Answers({"int8_cure_1": ("search",), "int8_cure_2": ("search", "held")})
    trials, _ = searched(answers)
    assert len(trials) == 1 and trials[0].held is not None and not trials[0].cures


def test_where_nothing_passes_the_held_half_is_not_looked_at():
    answers = Answers({"int8_cure_4": ("held",)})
    trials, _ = searched(answers)
    assert len(trials) == len(REMEDIES) and {half for _, half in answers.asked} == {"search"}


def test_an_interrupted_search_goes_on():
    first = Answers({})
    before = {trial.remedy: trial for trial in searched(first)[0][:3]}
    answers = Answers({"int8_cure_5": ("search", "held")})
    trials, _ = searched(answers, before)
    assert trials[-1].cures
    assert [name for name, _ in answers.asked] == ["int8_cure_4", "int8_cure_5", "int8_cure_5"]


def test_a_trial_of_another_file_is_made_again():
    """The samples to calibrate with have changed under one name: the file that is judged is the one that passed."""
    known = {each: Trial(each, 1, "another file", Judged("pass", 100)) for each in REMEDIES}
    answers = Answers({"int8_cure_2": ("search", "held")})
    trials, _ = searched(answers, known)
    assert trials[-1].cures and trials[-1].sha256 == "int8_cure_2"
    assert answers.asked == [("int8_cure_1", "search"), ("int8_cure_2", "search"), ("int8_cure_2", "held")]


def test_a_trial_that_the_device_ended_is_made_again():
    known = {REMEDIES[0]: Trial(REMEDIES[0], 1, "int8_cure_1", Judged("invalid", 100, reason="out of memory"))}
    answers = Answers({"int8_cure_1": ("search", "held")})
    assert searched(answers, known)[0][-1].cures


def test_trials_of_before_are_kept_while_the_search_has_not_come_to_them():
    before = {trial.remedy: trial for trial in searched(Answers({}))[0]}
    assert searched(Answers({}), before)[1] == [5] * 5


def test_a_fault_of_the_device_does_not_use_the_held_half_up():
    kept: list[Trial] = []

    def ask(variant: Variant, half: Half) -> Judged:
        if half == "held":
            raise JobFailed("killed")
        return Judged("pass", 100)

    with pytest.raises(JobFailed):
        search(REMEDIES, built, ask, {}, lambda trial, trials: kept.append(trial), "own")
    assert [trial.held for trial in kept] == [None]


def test_the_same_file_is_not_judged_twice_and_a_missing_one_says_why():
    def build(of: Remedy) -> Variant:
        if of.name == "int8_cure_1":
            return Variant(of.name, "int8", status="failed", reason="refused")
        return Variant(of.name, "int8", Path("a"), "own" if of.name == "int8_cure_2" else "same", 1)

    answers = Answers({})
    trials = search(REMEDIES, build, answers.ask, {}, lambda trial, trials: None, "own")
    assert [trial.reason for trial in trials[:3]] == ["refused", "it is the file of the row itself", ""]
    assert trials[3].reason == "it is the file of int8_cure_3"
    assert len(answers.asked) == 1


# --- what a search of before may say -------------------------------------------------------------------------------

CASE = Case("int8", "host", "ai-edge-litert", 1)
DROP = '[[rule]]\nmetric = "accuracy_drop"\nmax = "2pp"\n'


def rules(policy: str) -> tuple[str, ...]:
    return tuple(rule.words for rule in parse_policy(policy, "policy.toml").rules)


def begun(policy: str, *trials: Trial) -> Cure:
    return Cure("run", CASE, "policy.toml", rules(policy), Judged("fail", 200), trials=trials)


def test_a_held_half_that_did_not_confirm_is_not_looked_at_again(tmp_path, monkeypatch):
    """What is kept comes back as it is, though a cure that failed is false as a truth value."""
    before = begun(DROP, Trial(REMEDIES[0], 1, "a", Judged("pass", 100), Judged("fail", 100)))
    stored_cure.Kept(tmp_path, CASE).write(before)
    patient = MagicMock(run=MagicMock(path=tmp_path, run_id="run"), case=CASE)
    patient.policy = parse_policy(DROP, "policy.toml")
    patient.judge_all.return_value = before.before
    monkeypatch.setattr(stored_cure, "check_sizes", lambda patient: None)
    assert stored_cure.cured(patient, MagicMock(), (), lambda text: None) == before
    patient.judge.assert_not_called()


def test_an_engine_that_gives_no_tensors_between_the_ops_can_still_be_searched_on(monkeypatch):
    def refuses(study: object, bench: object) -> None:
        raise JobFailed("CompiledModel gives no tensors between the ops", "choose another row")

    monkeypatch.setattr(stored_cure, "explain", refuses)
    monkeypatch.setattr(stored_cure, "Study", lambda *args, **named: None)
    monkeypatch.setattr(stored_cure, "kind_of", MagicMock())
    told = stored_cure.explained(MagicMock(), MagicMock())
    assert told.causes == () and told.layers == Layers()
    assert len(told.notes) == 1 and "CompiledModel gives no tensors between the ops" in told.notes[0]


# --- false passes --------------------------------------------------------------------------------------------------


def passes_at_the_limit(rng: np.random.Generator, remedies: int, samples: int, drop: float, share: float) -> bool:
    """A search among models that all lose exactly what the limit allows. share: of the samples that change."""
    lost, won = (share + drop) / 2, (share - drop) / 2
    limit = PairedLimit.of_difference(drop)
    shared = rng.random(samples * 2) < 0.5  # answers of all remedies are alike for half of the samples
    common = rng.random(samples * 2)

    def changes() -> np.ndarray:
        drawn = np.where(shared, common, rng.random(samples * 2))
        return np.where(drawn < lost, -1, np.where(drawn < lost + won, 1, 0))

    answers = {remedy(n).name: changes() for n in range(remedies)}

    def ask(variant: Variant, half: Half) -> Judged:
        own = answers[variant.name]
        part = own[:samples] if half == "search" else own[samples:]
        b, c = int((part < 0).sum()), int((part > 0).sum())
        return Judged("pass" if exact_p_of(limit, b, c, samples) < ALPHA else "fail", samples)

    trials: Sequence[Trial] = search(
        [remedy(n) for n in range(remedies)], built, ask, {}, lambda trial, trials: None, "own"
    )
    return trials[-1].cures


P_VALUES: dict[tuple[float, int, int, int], float] = {}


def exact_p_of(limit: PairedLimit, b: int, c: int, n: int) -> float:
    key = (limit.least, b, c, n)
    if key not in P_VALUES:
        P_VALUES[key] = exact_p(limit, b, c, n)
    return P_VALUES[key]


@pytest.mark.parametrize(("remedies", "drop", "share"), [(1, 0.02, 0.03), (20, 0.02, 0.03), (40, 0.05, 0.05)])
def test_a_search_among_models_at_the_limit_passes_in_five_percent_at_most(remedies, drop, share):
    """The bar is 5 % and the upper end of what chance adds to it once in a thousand."""
    rng, tries = np.random.default_rng(remedies), 1_000
    passed = sum(passes_at_the_limit(rng, remedies, 300, drop, share) for _ in range(tries))
    assert passed <= binom.ppf(0.999, tries, ALPHA), passed / tries


def test_the_held_half_is_what_keeps_it_so():
    """The same search without it, by which one of many passes by chance: the simulation can fail."""
    rng, tries = np.random.default_rng(0), 300

    def best_of_many() -> bool:
        limit = PairedLimit.of_difference(0.02)
        draws = rng.multinomial(300, [0.025, 0.005, 0.97], size=60)
        return any(exact_p_of(limit, int(b), int(c), 300) < ALPHA for b, c, _ in draws)

    assert sum(best_of_many() for _ in range(tries)) / tries > 0.5
