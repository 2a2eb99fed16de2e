"""gate/each_output.py: a rule is judged for every output of a model, or for those it names; the worst stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binom

from harness.gate.verdict_text import document
from harness.records import Run
from harness.report.out.csv_tables import metrics_csv
from tests import made_runs
from tests.made_answers import RULE, found, verdict_of
from tests.made_tasks import SAMPLES, several, three_outputs

LABELS, KERAS, INT8 = three_outputs()
OFF = {name: np.abs(INT8[name].astype(np.float64) - KERAS[name]) for name in KERAS}


def run_of(int8: dict[str, np.ndarray], scored: str = "") -> Run:
    return several(KERAS, {"float32": KERAS, "int8": int8}, LABELS, scored)


def made(**changed: np.ndarray) -> Run:
    return run_of({**INT8, **changed})


def sqnr_db(name: str) -> float:
    return float(10 * np.log10(np.square(KERAS[name].astype(np.float64)).sum() / np.square(OFF[name]).sum()))


# --- without a name: the worst output ---


@pytest.mark.parametrize(("limit", "outcome"), [(1.0, "fail"), (5.0, "pass")])
def test_a_distance_is_judged_over_the_worst_output_and_that_is_named(limit, outcome):
    said = found(made(), f'metric = "max_abs_diff"\nmax = {limit}')
    assert (said.outcome, said.output, said.value) == (outcome, "boxes", pytest.approx(OFF["boxes"].max(), rel=1e-6))
    assert said.reason == "worst of 3 outputs: boxes"
    assert said.words == f"max_abs_diff max {limit:g} against keras at 95 %"


def test_where_more_is_better_the_worst_has_least_and_an_output_without_noise_passes():
    said = found(made(), 'metric = "sqnr"\nmin = 30')
    least = min(("digit", "boxes"), key=sqnr_db)
    assert (said.outcome, said.output, said.value) == ("pass", least, pytest.approx(sqnr_db(least), rel=1e-5))


def test_others_that_do_not_pass_are_named_too():
    said = found(made(count=KERAS["count"] + 4), 'metric = "max_abs_diff"\nmax = 1')
    assert said.reason.startswith("worst of 3 outputs: count, nor does boxes pass; suspect: output count")


def test_an_output_that_is_not_finite_is_missing_whatever_the_others_say():
    boxes = INT8["boxes"].copy()
    boxes[3, 1] = np.nan
    said = found(made(boxes=boxes), 'metric = "max_abs_diff"\nmax = 300')
    assert (said.outcome, said.output) == ("missing", "boxes") and "some scores are not finite" in said.reason


def with_flips(of_aux: int) -> Run:
    """Two outputs that answer alike, but for so many flips of int8's second one."""
    twins = {"main": made_runs.scores(SAMPLES), "aux": made_runs.scores(SAMPLES)}
    flipped = np.roll(made_runs.scores(SAMPLES), 1, axis=1)
    aux = np.where(np.arange(SAMPLES)[:, None] < of_aux, flipped, twins["aux"])
    return several(twins, {"int8": {**twins, "aux": aux}}, LABELS)


def test_a_pass_is_as_sure_as_that_of_the_least_sure_output():
    said = found(with_flips(2), 'metric = "flip_rate"\nmax = "5%"')
    assert (said.outcome, said.output, said.p) == ("pass", "aux", pytest.approx(binom.cdf(2, SAMPLES, 0.05)))


def test_the_answers_of_a_second_head_count_where_the_first_are_all_right():
    said = found(with_flips(20), 'metric = "flip_rate"\nmax = "2%"')
    assert (said.outcome, said.output, said.value) == ("fail", "aux", pytest.approx(20 / SAMPLES))
    low, high = beta.ppf(0.05, 20, SAMPLES - 19), beta.ppf(0.95, 21, SAMPLES - 20)  # Clopper–Pearson, 90 %
    assert (said.low, said.high) == (pytest.approx(low), pytest.approx(high))


def test_outputs_that_are_alike_are_told_so():
    said = found(with_flips(0), 'metric = "agreement"\nmin = "90%"')
    assert (said.outcome, said.output, said.reason) == ("pass", "main", "the same for 2 outputs: main and aux")


# --- by name ---


@pytest.mark.parametrize(
    ("output", "outcome", "of"),
    [("digit", "pass", "digit"), ("boxes", "fail", "boxes"), ("!boxes", "pass", "digit"), ("c*", "pass", "count")],
)
def test_a_rule_names_its_outputs(output, outcome, of):
    said = found(made(), f'metric = "max_abs_diff"\nmax = 1\noutput = "{output}"')
    assert (said.outcome, said.output, said.value) == (outcome, of, pytest.approx(OFF[of].max(), rel=1e-4))
    assert said.words == f"max_abs_diff of {output} max 1 against keras at 95 %"


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    said = found(made(), 'metric = "max_abs_diff"\nmax = 1\noutput = "box"')
    assert (said.outcome, said.holds) == ("missing", False)
    assert said.reason == 'the model has no output "box"; it has digit, boxes and count'


def test_labels_are_of_the_scored_output_alone():
    rule = 'metric = "accuracy"\nmin = "90%"\noutput = '
    assert (of := found(made(), f'{rule}"digit"')).outcome == "pass" and of.output == "digit"
    said = found(made(), f'{rule}"boxes"')
    assert said.outcome == "missing"
    assert said.reason == "accuracy is of the scored output alone: leave out output, or name digit"


def test_agreement_is_of_outputs_that_are_classes():
    rule = 'metric = "agreement"\nmin = "90%"'
    said = found(made(), rule)
    assert (said.outcome, said.output, said.reason) == ("pass", "digit", "output digit, the only one with this metric")
    boxes = found(made(), f'{rule}\noutput = "boxes"')
    assert boxes.outcome == "missing" and "that of output boxes is distance" in boxes.reason


def test_the_mean_distance_of_an_output_has_its_interval():
    said = found(made(), 'metric = "distance"\nmax = 1.2\noutput = "boxes"')
    mean, half = OFF["boxes"].mean(), 1.645 * OFF["boxes"].mean(axis=1).std() / SAMPLES**0.5
    assert (said.outcome, said.value) == ("pass", pytest.approx(mean, rel=1e-5))
    assert (said.low, said.high) == (pytest.approx(mean - half, rel=0.01), pytest.approx(mean + half, rel=0.01))


# --- against another model ---


@pytest.mark.parametrize(("against", "before"), [("float32", 0.0), ("reference", OFF["boxes"].max())])
def test_an_output_stands_against_the_same_of_another_model(against, before):
    further = run_of({**INT8, "boxes": KERAS["boxes"] + 3 * (INT8["boxes"] - KERAS["boxes"])})
    said = found(further, f'metric = "max_abs_diff"\nmax_increase = 9\nagainst = "{against}"', made())
    assert (said.outcome, said.output) == ("pass", "boxes")
    assert said.value == pytest.approx(3 * OFF["boxes"].max() - before, rel=1e-4)


def test_a_reference_without_that_output_is_not_comparable():
    old = made()
    names = replace(old, output_names=("digit", "pixels", "count"))
    said = found(made(), 'metric = "distance"\nmax_increase = 1\nagainst = "reference"\noutput = "boxes"', names)
    assert said.outcome == "not_comparable"
    assert "scored output: digit in the reference, boxes in the candidate" in said.reason


# --- one output; files ---


def test_a_single_output_is_not_named_but_by_a_rule():
    run = several({"digit": KERAS["digit"]}, {"int8": {"digit": INT8["digit"]}}, LABELS)
    said = found(run, 'metric = "max_abs_diff"\nmax = 0.5')
    assert (said.outcome, said.output, said.reason) == ("pass", "", "")
    assert found(run, 'metric = "max_abs_diff"\nmax = 0.5\noutput = "digit"').outcome == "pass"
    assert "it has digit" in found(run, 'metric = "max_abs_diff"\nmax = 0.5\noutput = "boxes"').reason
    assert {row.rsplit(",", 1)[1] for row in metrics_csv(compared(run)).splitlines()[1:]} == {""}


def test_outputs_without_names_go_by_their_numbers():
    said = found(replace(made(), output_names=()), 'metric = "max_abs_diff"\nmax = 1\noutput = "1"')
    assert (said.outcome, said.output) == ("fail", "1")


def test_the_verdict_names_the_output():
    verdict = verdict_of(made(), f'{RULE}metric = "max_abs_diff"\nmax = 1\nvariant = "int8"')
    (row,) = document(verdict)["findings"]
    assert (row["output"], row["outcome"]) == ("boxes", "fail")


def compared(run: Run):
    from harness.compare.baseline import compare

    return compare(run)
