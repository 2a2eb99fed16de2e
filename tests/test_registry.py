"""registry.py: a metric that is declared in one place is found wherever metrics are shown, compared and judged."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.compare.rows import rows
from harness.compare.two_runs import compare_runs
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.metrics import METRICS, Estimate, Metric, Observation
from harness.metrics.registry import Answers, in_order, of_answers, of_case
from harness.records import Run
from harness.report.material import Material
from harness.report.out.csv_tables import metrics_csv, summary_csv
from harness.report.tables.summary_table import tables
from harness.statistics.bootstrap import Statistic, means
from harness.support.format import significant
from tests.made_runs import case, run, scores, shard, timed

CASES = [case("float32"), case("int8")]


@pytest.fixture
def jitter() -> Iterator[Metric]:
    """A new metric: how far a round's slowest timed invoke is from its fastest."""

    @of_case(
        Metric("jitter", unit="us", better="lower", title="Jitter", about="latency", judged="rounds",
               of_round=lambda piece: float(np.ptp(piece.invokes_ns)) / 1000,
               compared="rounds", columns=("jitter_us",), in_table=("classification",))
    )  # fmt: skip
    def estimate(o: Observation) -> Estimate:
        return Estimate(
            float(np.ptp(np.concatenate([r.invokes_ns for r in o.rounds]))) / 1000, method="largest − least"
        )

    yield METRICS["jitter"]
    del METRICS["jitter"]


def measured(slower: int = 1) -> Run:
    """Ten rounds a case: the fastest invoke takes 1 µs, the slowest 3 µs, times `slower`."""
    baseline = scores()
    rounds = [timed(c, n, [1000 * slower, 3000 * slower + 10 * n] * 30) for c in CASES for n in range(10)]
    made = run(
        CASES, labels=baseline.argmax(1), baseline=baseline, shards=[shard(c, baseline) for c in CASES],
        rounds=rounds, planned=10,
    )  # fmt: skip
    return replace(made, run_id=f"20260101-000000-000{slower}")


def test_it_is_in_metrics_csv_and_summary_csv(jitter: Metric) -> None:
    comparison = compare(measured())
    long = [row for row in csv.DictReader(io.StringIO(metrics_csv(comparison))) if row["metric"] == "jitter"]
    assert [(row["variant"], row["unit"], row["better"]) for row in long] == [
        ("float32", "us", "lower"),
        ("int8", "us", "lower"),
    ]
    wide = list(csv.DictReader(io.StringIO(summary_csv(rows(comparison)))))
    assert [float(row["jitter_us"]) for row in wide] == [pytest.approx(2.09)] * 2


def test_it_is_in_the_reports_table(jitter: Metric) -> None:
    (table,) = tables(Material(compare(measured())))
    assert [(h.title, h.unit) for h in table.headings if h.title == "Jitter"] == [("Jitter", "µs")]
    place = [h.title for h in table.headings].index("Jitter")
    assert [line.cells[place].text for line in table.lines] == [significant(2.09)] * 2


def test_two_runs_are_compared_by_it(jitter: Metric) -> None:
    changes = compare_runs(measured(), measured(2)).changes
    assert {(c.case.variant, c.metric) for c in changes if c.metric == "jitter"} == {
        ("float32", "jitter"),
        ("int8", "jitter"),
    }
    assert all(c.kind == "not_comparable" for c in changes if c.metric == "jitter")  # made runs have no serial number


@pytest.mark.parametrize(("limit", "outcome"), [("3us", "pass"), ("1us", "fail")])
def test_a_rule_may_name_it_and_the_gate_judges_it_by_its_rounds(jitter: Metric, limit: str, outcome: str) -> None:
    policy = parse_policy(f'[[rule]]\nmetric = "jitter"\nmax = "{limit}"', "policy.toml")
    verdict = judge(compare(measured()), policy)
    assert [(f.case, f.outcome, f.unit) for f in verdict.findings] == [(c, outcome, "us") for c in CASES]
    assert all(f.low is not None and f.low < 2.045 < (f.high or 0) for f in verdict.findings)  # mean of the rounds


def test_a_limit_on_it_is_read_in_its_unit(jitter: Metric) -> None:
    policy = parse_policy('[[rule]]\nmetric = "jitter"\nmax = "0.003ms"', "policy.toml")
    assert policy.rules[0].limit.value == pytest.approx(3.0)


@pytest.fixture
def certainty() -> Iterator[Metric]:
    """A new metric of answers: the mean of each sample's highest score."""

    @of_answers(
        Metric("certainty", unit="fraction", better="higher", title="Certainty", about="answers", against="keras",
               judged="samples", alone=True, compared="samples", always_for=("classification",))
    )  # fmt: skip
    def statistic(answers: Answers) -> Statistic:
        return means(answers.outputs.max(axis=1))

    yield METRICS["certainty"]
    del METRICS["certainty"]


def test_a_metric_of_answers_is_in_metrics_csv_and_a_rule_may_name_it(certainty: Metric) -> None:
    comparison = compare(measured())
    long = [row for row in csv.DictReader(io.StringIO(metrics_csv(comparison))) if row["variant"] == "int8"]
    values = {row["metric"]: row["value"] for row in long if row["metric"].startswith("certainty")}
    assert float(values["certainty"]) == pytest.approx(scores().max(axis=1).mean())
    assert float(values["certainty_change"]) == 0
    moved = parse_policy('[[rule]]\nmetric = "certainty"\nmax_decrease = "1pp"\nagainst = "keras"', "policy.toml")
    assert [f.outcome for f in judge(comparison, moved).findings] == ["inconclusive"] * 2  # equal to Keras, but few
    itself = parse_policy('[[rule]]\nmetric = "certainty"\nmin = 0.5', "policy.toml")
    assert [f.outcome for f in judge(comparison, itself).findings] == ["inconclusive"] * 2  # 40 samples are too few


def test_every_metric_says_what_it_is() -> None:
    for metric in METRICS.values():
        assert metric.title and metric.about
        assert not (metric.estimate and metric.statistic), metric.name
        assert not metric.better or metric.judged, metric.name
        assert metric.judged != "rounds" or metric.of_round or metric.beside, metric.name
        assert metric.judged != "share" or metric.of_sample, metric.name
        assert metric.fall_of in ("", *METRICS), metric.name
        assert set(metric.beside) <= set(METRICS), metric.name


def test_columns_of_the_summary_stand_once() -> None:
    columns = [column for metric in in_order() for column in metric.columns]
    assert len(columns) == len(set(columns))
