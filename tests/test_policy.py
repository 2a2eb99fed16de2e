"""policy.toml → Policy, and what is said of one that cannot be used: the file, the line, the nearest right word."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.gate.policy import Policy, Rule, default_policy, gauges, read_policy
from harness.gate.policy.policy_file import parse_policy
from harness.metrics import METRICS
from harness.metrics.task_table import TASK_TABLE
from harness.records import Scoring
from harness.records.plan import Declared
from tests.made_runs import case

FIRST = '# a comment\nmode = "all"\n\n[[rule]]\nmetric = "size_bytes"\nmax = "120KB"\n\n'
INTERFACE = """
[[rule]]
metric = "accuracy_drop"
max = "0.5pp"
confidence = 0.95
variant = "int8*"
[[rule]]
metric = "latency_p90"
max = "5ms"
target = "raspberry-pi-*"
[[rule]]
metric = "latency_p50"
max_increase = "5%"
against = "reference"
on_inconclusive = "warn"
[[rule]]
metric = "size_bytes"
max = "120KB"
"""


def policy(text: str) -> Policy:
    return parse_policy(text, "policy.toml")


def rule(text: str) -> Rule:
    return policy("[[rule]]\n" + text).rules[0]


def limit(metric: str, kind: str, written: str, **keys: str) -> tuple[float, bool]:
    more = "".join(f'\n{key} = "{value}"' for key, value in keys.items())
    parsed = rule(f'metric = "{metric}"\n{kind} = {written}{more}').limit
    return parsed.value, parsed.relative


# --- what may be written -------------------------------------------------------------------------------------------


def test_the_policy_of_the_interface_is_read_in_order():
    rules = policy(INTERFACE).rules
    assert [r.number for r in rules] == [1, 2, 3, 4]
    assert [r.line for r in rules] == [2, 7, 11, 16]
    assert [r.metric for r in rules] == ["accuracy_drop", "latency_p90", "latency_p50", "size_bytes"]
    assert [r.limit.value for r in rules] == [0.5, 5000, 0.05, 120_000]
    assert [r.limit.relative for r in rules] == [False, False, True, False]
    assert [r.against for r in rules] == ["keras", "", "reference", ""]
    assert [r.on_inconclusive for r in rules] == ["fail", "fail", "warn", "fail"]
    assert (rules[0].variant, rules[1].target) == ("int8*", "raspberry-pi-*")


def test_the_default_is_every_variant_but_float32_under_one_point_at_95_percent():
    (only,) = default_policy().rules
    assert (only.metric, only.limit.kind, only.limit.value) == ("accuracy_drop", "max", 1.0)
    assert (only.limit.relative, only.confidence, only.on_inconclusive) == (False, 0.95, "fail")
    named = [v for v in ("float32", "float16", "dynamic_range", "int8", "int16x8", "mine") if only.matches(case(v))]
    assert named == ["float16", "dynamic_range", "int8", "int16x8", "mine"]


@pytest.mark.parametrize(
    ("task", "words"),
    {
        "classification": "accuracy_drop max 1pp against keras at 95 %",
        "multilabel": "subset_accuracy max_decrease 1pp against keras at 95 %",
        "segmentation": "mean_iou max_decrease 1pp against keras at 95 %",
        "detection": "coco_map max_decrease 1pp against keras at 95 %",
        "anomaly": "anomaly_auc max_decrease 1pp against keras at 95 %",
        "regression": "rmse max_increase 5% against keras at 95 %",
        "agreement": "agreement min 99% against keras at 95 %",
        "distance": "sqnr min 20dB against keras at 95 %",
    }.items(),
)
def test_each_task_has_a_default_rule_of_its_own(task, words):
    (rule,) = default_policy((task,)).rules
    assert (rule.words, rule.variant) == (words, "!float32")


def test_every_task_that_is_no_metric_of_ones_own_has_a_default_rule_on_a_metric_of_its_own():
    for kind in TASK_TABLE:
        if kind.name != "custom":
            assert kind.default and kind.name in METRICS[kind.default.metric].tasks


def test_several_tasks_have_a_rule_each_and_metrics_of_ones_own_none():
    assert [rule.metric for rule in default_policy(("segmentation", "custom", "regression")).rules] == [
        "mean_iou",
        "rmse",
    ]
    with pytest.raises(ConfigError, match="no default policy for metrics of your own"):
        default_policy(("custom",))


def test_the_policy_of_the_docs_is_read():
    text = (Path(__file__).parent.parent / "docs" / "gate.md").read_text()
    begin = text.index("    [[rule]]")
    (block,) = re.findall(r"(?:(?: {4}.*)?\n)+", text[begin:])[:1]
    assert len(policy(textwrap.dedent(block)).rules) == 4


@pytest.mark.parametrize(
    ("metric", "kind", "written", "value"),
    [
        ("latency_p50", "max", '"500ns"', 0.5),
        ("latency_p50", "max", '"7us"', 7),
        ("latency_p50", "max", '"7 µs"', 7),
        ("latency_p50", "max", '"7μs"', 7),  # the Greek letter
        ("latency_p99", "max", '"1.5ms"', 1500),
        ("latency_p90", "max", '"2s"', 2e6),
        ("load", "max", '"2s"', 2000),
        ("load", "max", '"500us"', 0.5),
        ("size_bytes", "max", '"10B"', 10),
        ("size_bytes", "max", "120_000", 120_000),
        ("size_bytes", "max", '"120KB"', 120_000),
        ("size_bytes", "max", '"120kB"', 120_000),
        ("size_bytes", "max", '"120KiB"', 122_880),
        ("peak_rss", "max", '"2MB"', 2e6),
        ("peak_rss", "max", '"2MiB"', 2_097_152),
        ("accuracy_drop", "max", '"0.5pp"', 0.5),
        ("error_rate_growth", "max", '"20%"', 20),
        ("class_accuracy_drop", "max", '"3pp"', 3),
        ("flip_rate", "max", '"1%"', 0.01),
        ("flip_rate", "max", "0.01", 0.01),
        ("accuracy", "min", '"97%"', 0.97),
        ("speedup_vs_float32", "min", "1.5", 1.5),
        ("speedup_vs_float32", "min", '"1.5x"', 1.5),
        ("max_abs_diff", "max", '"1e-3"', 0.001),
        ("sqnr", "min", '"30 dB"', 30),
        ("flips", "max", "0", 0),
    ],
)
def test_units(metric, kind, written, value):
    assert limit(metric, kind, written) == (pytest.approx(value), False)


def test_a_percentage_of_a_drop_or_of_a_move_is_relative():
    assert limit("accuracy_drop", "max", '"1%"') == (0.01, True)
    assert limit("class_accuracy_drop", "max", '"1%"') == (0.01, True)
    assert limit("latency_p50", "max_increase", '"5%"', against="float32") == (0.05, True)
    assert limit("latency_p50", "max_increase", '"5ms"', against="float32") == (5000, False)
    assert limit("accuracy", "max_decrease", '"1%"') == (0.01, True)
    assert limit("accuracy", "max_decrease", '"1pp"') == (0.01, False)
    assert limit("size_bytes", "max_increase", '"0%"', against="reference") == (0, True)


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ('metric = "accuracy_drop"\nmax = "1pp"', "keras"),
        ('metric = "accuracy_drop"\nmax = "1pp"\nagainst = "float32"', "float32"),
        ('metric = "flip_rate"\nmax = 0.1\nagainst = "reference"', "reference"),
        ('metric = "accuracy"\nmin = 0.9', ""),
        ('metric = "accuracy"\nmax_decrease = "1pp"', "keras"),
        ('metric = "latency_p50"\nmax = "1ms"', ""),
        ('metric = "ece"\nmax_increase = "1pp"\nagainst = "keras"', "keras"),
    ],
)
def test_what_a_rule_stands_against(text, against):
    assert rule(text).against == against


@pytest.mark.parametrize(
    ("glob", "names"),
    [("int8*", ["int8", "int8_float_io"]), ("!float*", ["int8", "int8_float_io"]), ("Int8", []), ("int8", ["int8"])],
)
def test_globs(glob, names):
    one = rule(f'metric = "flips"\nmax = 1\nvariant = "{glob}"')
    assert [v for v in ("float32", "int8", "int8_float_io") if one.matches(case(v))] == names


def test_every_metric_that_has_a_better_can_be_gated_on_and_no_other():
    shown_only = {m.name for m in METRICS.values() if not m.better}
    assert "mcnemar_p" in shown_only
    gated = {"error_rate_growth", "class_accuracy_drop", "mae", "rmse", "r2", "balanced_accuracy", "f1", "auc"}
    assert set(gauges()) == set(METRICS) - shown_only | gated | {"distance"}


def test_a_users_metric_is_named_by_its_name_or_by_where_it_stands():
    own = Declared("mine:top_share", "top_share", "pp", "lower")
    known = gauges(Scoring(declared=(own,))).items()
    assert known > gauges().items()
    further = known - gauges().items()
    assert {name: (metric.name, metric.unit, metric.better) for name, metric in further} == dict.fromkeys(
        ("top_share", "mine:top_share"), ("top_share", "pp", "lower")
    )


@pytest.mark.parametrize(
    ("glob", "names"),
    [("scores*", ["scores", "scores[1]"]), ("scores[1]", ["scores[1]"]), ("!scores*", ["boxes"]), ("masks", [])],
)
def test_outputs_are_named_by_globs_and_first_of_all_by_their_name(glob, names):
    """As a glob, scores[1] would be an output scores1."""
    one = rule(f'metric = "flips"\nmax = 1\noutput = "{glob}"')
    assert one.outputs_of(["scores", "scores[1]", "boxes"]) == names


# --- what may not --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "what", "advice"),
    [
        ('metric = "acuracy_drop"\nmax = "1pp"', "9", "acuracy_drop", "did you mean accuracy_drop?"),
        ('metric = "mcnemar_p"\nmax = 1', "9", "mcnemar_p", "the metrics are"),
        ('metric = "flips"\nmax = 1\nconfidnce = 0.9', "11", "unknown key 'confidnce'", "did you mean confidence?"),
        ('metric = "flips"\nmax = 1\nmaximum = 0.9', "11", "unknown key 'maximum'", "did you mean max?"),
        ('metric = "latency_p50"\nmax = "5mss"', "10", "does not fit latency_p50", "did you mean ms?"),
        ('metric = "latency_p50"\n\nmax = "5KB"', "11", "does not fit latency_p50", "ns, us, µs, ms, s"),
        ('metric = "latency_p50"\nmax = 5', "10", "'5' does not fit", "ns, us, µs, ms, s"),
        ('metric = "latency_p50"\nmax = "5%"', "10", "does not fit", "max_increase"),
        ('metric = "peak_rss"\nmax = "5mib"', "10", "does not fit peak_rss", "did you mean MiB?"),
        ('metric = "accuracy_drop"\nmax = "1ms"', "10", "which is in pp", "the units are pp, %"),
        ('metric = "accuracy_drop"\nmax = 0.5', "10", "which is in pp", "the units are pp, %"),
        ('metric = "accuracy_drop"\nmax = "much"', "10", "'much' is not a limit", "0.5pp"),
        ('metric = "latency_p50"\nmax = "1,5ms"', "10", "'1,5ms' is not a limit", "5ms"),
        ('metric = "latency_p50"\nmax = "5 6ms"', "10", "'5 6ms' is not a limit", "5ms"),
        ('metric = "speedup_vs_float32"\nmin = 0', "10", "any speedup_vs_float32 can be shown", "over 0"),
        ('metric = "accuracy_drop"\nmax = "0pp"', "10", "can be shown", "over 0"),
        ('metric = "accuracy_drop"\nmax = "-1pp"', "10", "can be shown", "over 0"),
        ('metric = "accuracy_drop"\nmax = "100pp"', "10", "all of it", "under 100 %"),
        ('metric = "flips"\nmax = nan', "10", "nan is not a limit", "finite"),
        ('metric = "flips"\nmax = inf', "10", "inf is not a limit", "finite"),
        ('metric = "flips"\nmax = true', "10", "max: True", "a number"),
        ('metric = "flips"\nmax = [1]', "10", "max: [1]", "a number"),
        ('metric = "flips"', "8", "has no limit", "max_increase"),
        ('max = 1', "8", "has no metric", "name of a metric"),
        ('metric = "flips"\nmax = 1\nmax_increase = 2\nagainst = "keras"', "11", "max and max_increase", "two rules"),
        ('metric = "accuracy"\nmax = "97%"', "10", "an improvement would fail", "min or max_decrease"),
        ('metric = "latency_p50"\nmin = "5ms"', "10", "an improvement would fail", "max or max_increase"),
        ('metric = "accuracy_drop"\nmax_increase = "1pp"', "10", "an increase by itself", "max"),
        ('metric = "latency_p50"\nmax_increase = "5%"', "10", "max_increase of what?", "float32 or reference"),
        ('metric = "latency_p50"\nmax_increase = "-5%"\nagainst = "float32"', "10", "an improvement", "0 or more"),
        ('metric = "latency_p50"\nmax = "5ms"\nagainst = "keras"', "11", "'keras' does not fit", "max_increase"),
        ('metric = "speedup_vs_float32"\nmax_decrease = "5%"\nagainst = "float32"', "11", "'float32' does", "max_decr"),
        ('metric = "flips"\nmax = 1\nagainst = "kears"', "11", "against: 'kears'", "did you mean keras?"),
        ('metric = "flips"\nmax = 1\non_inconclusive = "warning"', "11", "'warning'", "did you mean warn?"),
        ('metric = "flips"\nmax = 1\nconfidence = "0.95"', "11", "confidence: '0.95'", "over 0.5 and under 1"),
        ('metric = "flips"\nmax = 1\nconfidence = 95', "11", "confidence: 95", "such as 0.95"),
        ('metric = "flips"\nmax = 1\nconfidence = true', "11", "confidence: True", "such as 0.95"),
        ('metric = "flips"\nmax = 1\nvariant = 8', "11", "variant: 8", "glob"),
        ('metric = "latency_p50"\nmax = "5ms"\noutput = "boxes"', "11", "latency_p50 is not of an output", "leave out"),
        ('metric = "size_bytes"\nmax = "5MB"\noutput = "boxes"', "11", "size_bytes is not of an output", "whole model"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_used_is_told_by_file_line_and_nearest_word(text, where, what, advice):
    with pytest.raises(ConfigError) as caught:
        policy(FIRST + "[[rule]]\n" + text)
    assert str(caught.value).startswith(f"policy.toml:{where}: rule 2: ")
    assert what in str(caught.value)
    assert advice in caught.value.advice


@pytest.mark.parametrize(
    ("text", "what", "advice"),
    [
        ("", "has no rules", "[[rule]]"),
        ("# nothing but words\n", "has no rules", "[[rule]]"),
        ("rule = []", "has no rules", "[[rule]]"),
        ("[[rule]\n", "is not TOML", "fix"),
        ('\n\nmode = "al"', "policy.toml:3: mode: 'al'", "did you mean all?"),
        ('\n[[rules]]\nmetric = "flips"', "policy.toml:2: unknown table [rules]", "did you mean rule?"),
        ("rule = 3", "policy.toml:1: rule: 3", "[[rule]]"),
        ("rule = [3]", "policy.toml:1: rule 1: rule: 3", "[[rule]]"),
        ('\nrule = [{metric = "flip", max = 1}]', "policy.toml:2: rule 1: there is no metric 'flip'", "flips"),
    ],
)
def test_a_file_that_cannot_be_used(text, what, advice):
    with pytest.raises(ConfigError) as caught:
        policy(text)
    assert what in str(caught.value)
    assert advice in caught.value.advice


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"there is no file .*none\.toml"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match=r"latin\.toml cannot be read"):
        read_policy(tmp_path / "latin.toml")


def test_a_file_of_windows_is_read(tmp_path: Path):
    (tmp_path / "p.toml").write_bytes(b"\xef\xbb\xbf" + INTERFACE.replace("\n", "\r\n").encode())
    assert len(read_policy(tmp_path / "p.toml").rules) == 4


def test_a_count_has_no_limit_under_0():
    with pytest.raises(ConfigError, match="no flips can be under -1"):
        parse_policy('[[rule]]\nmetric = "flips"\nmax = -1', "policy.toml")
