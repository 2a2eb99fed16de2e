"""harness gate, harness accept: exit codes, what is printed, what is left behind. No TensorFlow, no device."""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console, RenderableType

from harness.cli.output import SUMMARY_BYTES
from harness.cli.tables.foresight_table import foresight_table
from harness.cli.tables.verdict_table import verdict_table, wide_table
from harness.compare.baseline import compare
from harness.device.job import PHASES
from harness.gate.decide import judge
from harness.gate.junit import junit
from harness.gate.known import Foresight
from harness.gate.policy.policy_file import parse_policy
from harness.gate.simulated import Chances
from harness.gate.verdict_text import MARKDOWN_BYTES, document, markdown
from harness.records import Finding, Provenance, Run, Variant
from harness.runs import loading
from tests.devices import RECORDED, copy_of_recording
from tests.made_answers import BOARD, DROP, RIGHT, RULE, dropped, made, scored, timed_run, twice, verdict_of
from tests.made_runs import LITERT, case, shard
from tests.test_cli import assert_two_lines

STEADY = [100, 101, 99, 100.5, 99.5, 100, 100.2, 99.8]
WARN = 'on_inconclusive = "warn"\n'
REFERENCE = 'against = "reference"\n'
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gate(harness, monkeypatch, tmp_path) -> Call:
    """gate(run, policy, *words, reference=run, sessions=runs) → exit code, stdout, stderr, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(
        run: Run, policy: str | None, *words: str, reference: Run | None = None, sessions: tuple[Run, ...] = ()
    ) -> tuple[int, str, str]:
        runs = {}
        further = {f"session-{n}": session for n, session in enumerate(sessions)}
        for name, each in {"candidate": run, "reference": reference, **further}.items():
            path = tmp_path / "results" / "made" / name
            if each is not None:
                path.mkdir(parents=True, exist_ok=True)
                (path / "run.json").write_text("{}")
                runs[path.name] = replace(each, path=path)
        monkeypatch.setattr(loading, "load", lambda path, trust=False: runs[path.name])
        if policy is not None:
            (tmp_path / "policy.toml").write_text(policy)
            words = ("--policy", "policy.toml", *words)
        for name in list(runs)[1:]:
            words = (*words, "--reference", name)
        return harness("gate", "candidate", *words)

    return call


# --- exit codes ----------------------------------------------------------------------------------------------------


def rule(metric: str, *lines: str) -> str:
    return RULE + "\n".join((f'metric = "{metric}"', *lines, ""))


def steady(**fields: object) -> Run:
    return timed_run(STEADY, [x / 2 for x in STEADY], **fields)


def without_a_number() -> Run:
    run = dropped(0, 0, 10_000)
    broken = scored(np.full(10_000, RIGHT))
    broken[3] = math.nan
    return replace(run, shards=tuple(shard(s.case, broken) for s in run.shards))


def unmeasured() -> Run:
    run = dropped(0, 0, 1000)
    return replace(run, shards=run.shards[:1])


def unbuilt() -> Run:
    refused = Variant("int8", "int8", status="failed", reason="refused by the converter")
    run = dropped(0, 0, 1000)
    return replace(run, variants=(run.variants[0], refused))


def too_small() -> Run:
    none = Variant("dynamic_range", "dynamic_range", status="unsupported", reason="none of its weight tensors is large")
    run = dropped(0, 0, 1000)
    return replace(run, variants=(*run.variants, none), cases=(*run.cases, case("dynamic_range")))


def unsupported() -> Run:
    env = replace(BOARD, python="3.13.1", runtimes={LITERT: "2.3.0"})
    run = dropped(0, 0, 1000, environment=env)
    return replace(run, cases=(*run.cases, case("int8", "tflite-runtime")))


QUICK = timed_run([100, 101, 99], [100, 101, 99])
SLOW = timed_run([200] * 8, [200] * 8)
NOT_SLOWER = rule("latency_p50", 'max_increase = "5%"')
NOT_LARGER = rule("size_bytes", 'max_increase = "0%"')
NOT_SLOWER_THAN_FLOAT32 = rule("latency_p50", 'max_increase = "1%"', 'against = "float32"')
ANY = 'mode = "any"\n'
SIZED = {"float32": 400_000, "int8": 120_000}
OTHER = replace(BOARD, serial_sha256="6" * 64)
OTHER_SAMPLES = dropped(0, 0, 1000, hashes={"test": "8" * 64})
ALL_BAD = made({"int8": twice(300, 0, 1000)[1]}, twice(300, 0, 1000)[0])
BETTER = dropped(0, 300, 10_000)
CASES = {
    # accuracy drop, each outcome
    "pass": (dropped(60, 40, 10_000), DROP, None, 0),
    "fail": (dropped(200, 20, 10_000), DROP, None, 1),
    "inconclusive": (dropped(60, 20, 10_000), DROP, None, 1),
    "inconclusive, which only warns": (dropped(60, 20, 10_000), DROP + 'on_inconclusive = "warn"', None, 0),
    "too few samples to pass": (dropped(0, 0, 538), DROP, None, 1),
    "just enough": (dropped(0, 0, 598), DROP, None, 0),
    "improved": (BETTER, DROP, None, 0),
    "relative to the accuracy": (dropped(60, 40, 10_000), rule("accuracy_drop", 'max = "1%"'), None, 0),
    "more confidence than there is": (dropped(60, 40, 10_000), DROP + "confidence = 0.9999", None, 1),
    "the default policy": (dropped(60, 40, 10_000), None, None, 0),
    "the default policy, failed": (dropped(300, 0, 10_000), None, None, 1),
    # what must never pass
    "a score that is no number": (without_a_number(), DROP, None, 1),
    "samples that were not measured": (unmeasured(), DROP, None, 1),
    "a variant that could not be built": (unbuilt(), DROP, None, 1),
    "a variant that is not there": (dropped(0, 0, 1000), DROP + 'variant = "int4"', None, 1),
    "a latency that was not measured": (dropped(0, 0, 1000), rule("latency_p50", 'max = "1s"'), None, 1),
    "a combination that does not exist": (unsupported(), DROP, None, 0),
    "a variant that cannot exist": (too_small(), DROP, None, 0),
    "an empty test set": (dropped(0, 0, 0), DROP, None, 2),
    "an emulated device": (steady(emulated=True), rule("latency_p50", 'max = "1s"'), None, 1),
    # latency, size, memory, each unit
    "ns": (steady(), rule("latency_p50", 'max = "101000ns"'), None, 0),
    "us": (steady(), rule("latency_p90", 'max = "99us"'), None, 1),
    "ms": (steady(), rule("latency_p50", 'max = "0.2ms"'), None, 0),
    "s": (steady(), rule("load", 'max = "0.001s"'), None, 1),
    "KB": (dropped(0, 0, 20, sizes=SIZED), rule("size_bytes", 'max = "120KB"', 'variant = "int8"'), None, 0),
    "KiB": (dropped(0, 0, 20, sizes=SIZED), rule("size_bytes", 'max = "117KiB"', 'variant = "int8"'), None, 1),
    "MiB": (steady(), rule("peak_rss", 'max = "1MiB"'), None, 0),
    "a plain number": (steady(), rule("speedup_vs_float32", "min = 1.9"), None, 0),
    "a percentage more than float32": (steady(), NOT_SLOWER_THAN_FLOAT32, None, 0),
    "flips": (dropped(6, 4, 2000), rule("flip_rate", 'max = "1%"'), None, 0),
    "one bad class": (dropped(300, 0, 10_000), rule("class_accuracy_drop", 'max = "1pp"'), None, 1),
    "quick plan, a limit near": (QUICK, rule("latency_p50", 'max = "101.5us"'), None, 1),
    "quick plan, a limit far away": (QUICK, rule("latency_p50", 'max = "1ms"'), None, 0),
    # a reference
    "no reference": (dropped(0, 0, 1000), DROP + REFERENCE, None, 1),
    "as good as the reference": (dropped(0, 0, 1000), DROP + REFERENCE, dropped(0, 0, 1000), 0),
    "worse than the reference": (dropped(200, 0, 1000), DROP + REFERENCE, dropped(0, 0, 1000), 1),
    "another test set": (dropped(0, 0, 1000), DROP + REFERENCE, OTHER_SAMPLES, 1),
    "faster than one stored session": (steady(), NOT_SLOWER + REFERENCE, SLOW, 1),
    "another machine": (steady(), NOT_SLOWER + WARN + REFERENCE, steady(environment=OTHER), 1),
    "smaller than the reference": (dropped(0, 0, 20), NOT_LARGER + REFERENCE, dropped(0, 0, 20, environment=OTHER), 0),
    # policies
    "no rules": (dropped(0, 0, 1000), "", None, 2),
    "a key that does not exist": (dropped(0, 0, 1000), DROP + "confidnce = 1", None, 2),
    "a unit that does not fit": (dropped(0, 0, 1000), rule("accuracy_drop", 'max = "1ms"'), None, 2),
    "any may ship, one does": (dropped(300, 0, 10_000), ANY + DROP, None, 0),
    "any may ship, none does": (ALL_BAD, ANY + DROP, None, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_exit_code(gate, name):
    run, policy, reference, code = CASES[name]
    found, _, err = gate(run, policy, reference=reference)
    assert found == code, err
    assert "Traceback" not in err and "unexpected" not in err


def test_a_policy_that_is_not_there_exits_2(gate):
    code, _, err = gate(dropped(0, 0, 1000), None, "--policy", "none.toml")
    assert code == 2
    assert_two_lines(err, "there is no file none.toml", "relative paths")


def test_a_broken_policy_is_two_lines_with_its_line_and_the_right_word(gate):
    code, out, err = gate(dropped(0, 0, 1000), DROP + "\n# more\nconfidnce = 0.9\n")
    assert (code, out) == (2, "")
    assert_two_lines(err, "policy.toml:6: rule 1: unknown key 'confidnce'", "did you mean confidence?")


def test_a_run_that_is_not_there_exits_2(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = harness("gate", "latest")
    assert code == 2
    assert_two_lines(err, "no run 'latest'", "harness list")


# --- the terminal --------------------------------------------------------------------------------------------------


def test_the_table_shows_rule_row_value_interval_limit_outcome_and_reason(gate):
    code, out, _ = gate(dropped(60, 20, 10_000), DROP)
    assert code == 1
    words = " ".join(out.split())
    assert out.split()[:7] == ["Rule", "Row", "Value", "Interval", "Limit", "Outcome", "Reason"]
    assert "int8 on host with ai-edge-litert" in words
    assert "0.400 pp" in words and "0.257 to 0.555" in words and "0.500 pp" in words
    assert "if these 10,000 show the true shares" in words and "would pass four times in five" in words
    assert "Passes every rule: float32." in out
    assert out.splitlines()[-1].startswith("20260101-000000-0000 does not pass: inconclusive (2 findings")
    assert "\x1b" not in out


def test_a_reason_is_told_once_where_it_is_that_of_the_row_above():
    verdict = verdict_of(dropped(0, 0, 1000), DROP)
    reasons = ("too few", "too few", "another", "another", "too few", "", "")
    rules = (1, 1, 1, 2, 2, 2, 2)
    findings = (replace(verdict.findings[0], rule=n, reason=why) for n, why in zip(rules, reasons, strict=True))
    table = wide_table(replace(verdict, findings=tuple(findings)))
    assert list(table.columns[-1].cells) == ["too few", "as above", "another", "another", "too few", "", ""]


def printed(made: RenderableType, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(made)
    return capture.get()


def test_at_80_columns_nothing_of_a_verdict_is_cut() -> None:
    verdict = verdict_of(dropped(60, 20, 10_000), DROP + '[[rule]]\nmetric = "size_bytes"\nmax = "120KB"\n')
    assert any(finding.reason for finding in verdict.findings)
    for width in (60, 80, 110):
        out = printed(verdict_table(verdict), width)
        words = " ".join(out.split())
        assert max(map(len, out.splitlines())) <= width and "…" not in out and not words.startswith("Rule Row")
        for finding in verdict.findings:
            assert f"{finding.rule} {finding.words}" in words and finding.reason in words
        assert "int8 on host with ai-edge-litert 0.400 pp 0.257 to 0.555 inconclusive" in words or width == 60
    assert printed(verdict_table(verdict), 120).split()[:3] == ["Rule", "Row", "Value"]


def test_at_80_columns_nothing_of_a_foresight_is_cut() -> None:
    chances = (Chances(0.02, 0.4, 0.043, (1397, 1901)), Chances(0.01, 0.0, None, ()))
    found = [
        Foresight(1, "accuracy_drop max 1pp", 299, chances),
        Foresight(2, "size_bytes max 1KB", None, (), "a reason"),
    ]
    words = " ".join(printed(foresight_table(found), 80).split())
    assert words.startswith("1 accuracy_drop max 1pp Changed, % Harmless passes, %") and "…" not in words
    assert "2.0 40.0 4.3 1,397 1,901 1.0 0.0 – never never at least 299 samples 2 size_bytes max 1KB a reason" in words
    assert printed(foresight_table(found), 120).split()[:3] == ["Rule", "Fewest", "samples"]


def test_json_is_the_verdict_and_nothing_else(gate, tmp_path):
    code, out, _ = gate(dropped(60, 40, 10_000), DROP, "--json")
    content = json.loads(out)
    assert (code, content["outcome"], content["ships"]) == (0, "pass", ["float32", "int8"])
    assert content == json.loads((tmp_path / "results/made/candidate/verdict.json").read_text())
    finding = content["findings"][1]
    assert finding["case"] == {"variant": "int8", "target": "host", "runtime": LITERT, "threads": 1}
    assert (finding["outcome"], finding["holds"], finding["unit"], finding["limit"]) == ("pass", True, "pp", 0.5)


def test_the_run_as_its_own_reference_is_told(gate):
    run = dropped(0, 0, 1000)
    code, _, err = gate(run, DROP + REFERENCE, "--reference", "candidate")
    assert code == 0
    assert "the reference is the run itself" in err


def test_a_reference_that_no_rule_asks_for_is_told(gate):
    code, _, err = gate(dropped(0, 0, 1000), DROP, reference=dropped(0, 0, 1000))
    assert code == 0
    assert "--reference changes nothing" in err


def test_a_verdict_that_cannot_be_written_exits_2(gate, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = gate(dropped(0, 0, 1000), DROP, "--junit", "file/gate.xml")
    assert code == 2
    assert_two_lines(err, "the verdict, pass, cannot be written", "can be written")


# --- JUnit ---------------------------------------------------------------------------------------------------------

# What the common JUnit schema demands, and the types of what is a number there.
ATTRIBUTES: dict[str, dict[str, type]] = {
    "testsuite": {"name": str, "tests": int, "failures": int, "errors": int, "skipped": int, "time": float,
                  "timestamp": str, "hostname": str},
    "testcase": {"name": str, "classname": str, "time": float},
    "failure": {"message": str, "type": str},
    "error": {"message": str, "type": str},
    "skipped": {"message": str},
}  # fmt: skip
MANY = (
    DROP
    + DROP
    + 'on_inconclusive = "warn"\n'
    + rule("latency_p50", 'max = "1s"')
    + rule("flip_rate", "max = 0.5", 'variant = "int4"')
)


def read_junit(text: bytes) -> ElementTree.Element:
    """The suite, after what the schema demands was checked."""
    root = ElementTree.fromstring(text)  # noqa: S314  our own
    assert root.tag == "testsuites"
    (suite,) = root
    for element in suite.iter():
        for name, kind in ATTRIBUTES[element.tag].items():
            kind(element.attrib[name])
    tags = [child.tag for each in suite for child in each]
    counted = {"failures": tags.count("failure"), "errors": tags.count("error"), "skipped": tags.count("skipped")}
    counted["tests"] = len(suite)
    assert {key: int(suite.attrib[key]) for key in counted} == counted
    assert {key: int(root.attrib[key]) for key in counted} == counted
    return suite


def test_junit_has_one_test_case_a_rule_and_row(gate, tmp_path):
    gate(dropped(60, 20, 10_000), MANY, "--junit", "out/gate.xml")
    suite = read_junit((tmp_path / "out/gate.xml").read_bytes())
    found = [(c.get("classname"), c.get("name").split(" ")[0], [x.tag for x in c]) for c in suite]
    assert found == [
        ("policy.rule-1", "float32", []),
        ("policy.rule-1", "int8", ["failure"]),  # inconclusive, and the rule fails then
        ("policy.rule-2", "float32", []),
        ("policy.rule-2", "int8", ["skipped"]),  # and here it warns
        ("policy.rule-3", "float32", ["error"]),  # nothing was timed
        ("policy.rule-3", "int8", ["error"]),
        ("policy.rule-4", "no", ["error"]),  # no row
    ]
    assert len({(c.get("classname"), c.get("name")) for c in suite}) == len(suite)


def test_junit_of_a_verdict_that_passes_has_no_failure(gate, tmp_path):
    code, _, _ = gate(dropped(300, 0, 10_000), ANY + DROP, "--junit", "gate.xml")
    suite = read_junit((tmp_path / "gate.xml").read_bytes())
    assert (code, [[x.tag for x in c] for c in suite]) == (0, [[], ["skipped"]])


def test_junit_holds_no_character_that_xml_forbids():
    verdict = verdict_of(dropped(0, 0, 1000), DROP)
    broken = replace(
        verdict.findings[0], outcome="invalid", holds=False, reason="\x1b[31m<kaputt> & \x00 \ufffe\ud800 aus"
    )
    suite = read_junit(junit(replace(verdict, findings=(broken,)), "2026-01-01T00:00:00+00:00"))
    assert suite[0][0].get("message") == "invalid: [31m<kaputt> & aus"


# --- Markdown ------------------------------------------------------------------------------------------------------


def many_findings(count: int, reason: str = "because") -> tuple[Finding, ...]:
    verdict = verdict_of(dropped(60, 20, 10_000), DROP)
    return tuple(replace(verdict.findings[n % 2], rule=n, reason=reason) for n in range(count))


def test_the_summary_says_what_the_table_says(gate, tmp_path):
    gate(dropped(60, 20, 10_000), DROP, "--summary", "summary.md")
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("### ❌ 20260101-000000-0000 does not pass: inconclusive")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "❔ inconclusive" in rows[1] and "0.400 pp | 0.257 to 0.555 | 0.500 pp" in rows[1]
    assert "✅ pass" in rows[2]
    assert all(line.replace("\\|", "").count("|") == 8 for line in rows)


def test_the_summary_is_added_to_what_stands_there(gate, tmp_path):
    (tmp_path / "summary.md").write_text("before\n")
    gate(dropped(0, 0, 1000), DROP, "--summary", "summary.md")
    assert (tmp_path / "summary.md").read_text().startswith("before\n### ✅")


@pytest.mark.parametrize("reason", ["because", "x" * 100_000, "ü|*<b>`" * 1000])
def test_the_summary_is_bounded_and_says_how_many_rows_are_left_out(reason):
    verdict = replace(verdict_of(dropped(0, 0, 1000), DROP), findings=many_findings(20_000, reason))
    text = markdown(verdict)
    assert len(text.encode()) <= MARKDOWN_BYTES
    shown = sum(line.startswith("| ") for line in text.splitlines()) - 1
    assert shown > 30
    assert f"{20_000 - shown:,} further rows left out" in text


def test_a_summary_that_is_nearly_full_is_never_overfilled(gate, tmp_path):
    for left in (0, 300, 5000):
        (tmp_path / "summary.md").write_text("x" * (SUMMARY_BYTES - left))
        assert gate(dropped(0, 0, 1000), DROP, "--summary", "summary.md")[0] == 0
        assert (tmp_path / "summary.md").stat().st_size <= SUMMARY_BYTES


def test_names_and_reasons_are_never_markup():
    verdict = verdict_of(dropped(0, 0, 1000), DROP)
    odd = replace(verdict.findings[0], reason="a|b\n<script> @someone `x` [y](z) *w*")
    text = markdown(replace(verdict, findings=(odd,)))
    assert r"a\|b \<script\> \@someone \`x\` \[y\](z) \*w\*" in text


def test_a_number_that_is_not_finite_is_null():
    verdict = verdict_of(dropped(0, 0, 1000), DROP)
    odd = replace(verdict.findings[0], value=math.nan, high=math.inf)
    content = document(replace(verdict, findings=(odd,)))
    assert (content["findings"][0]["value"], content["findings"][0]["high"]) == (None, None)
    json.dumps(content, allow_nan=False)


def test_five_sessions_decide_a_latency(gate):
    days = [Provenance(created=f"2025-01-0{n + 1}") for n in range(5)]
    old = [timed_run(STEADY, STEADY, run_id=f"2025010{n}-000000-0000", provenance=day) for n, day in enumerate(days)]
    code, out, _ = gate(timed_run(STEADY, STEADY), NOT_SLOWER + REFERENCE, reference=old[0], sessions=tuple(old[1:]))
    assert (code, "Against 20250100-000000-0000 and 4 further sessions of it." in out) == (0, True)
    code, out, _ = gate(timed_run(STEADY, STEADY), NOT_SLOWER + REFERENCE, reference=old[0], sessions=tuple(old[1:3]))
    assert (code, "3 stored sessions" in " ".join(out.split())) == (1, True)


# --- accept --------------------------------------------------------------------------------------------------------


def test_accept_makes_a_run_the_reference_of_its_experiment(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = copy_of_recording(tmp_path / "results")
    (tmp_path / "policy.toml").write_text(DROP.replace("0.5pp", "2pp") + REFERENCE)
    words = ("gate", "latest", "--policy", "policy.toml", "--json")
    code, out, _ = harness(*words)
    assert (code, json.loads(out)["outcome"]) == (1, "missing")
    assert harness("accept", "latest")[:2] == (0, "results/digits/reference.json\n")
    content = json.loads((tmp_path / "results/digits/reference.json").read_text())
    assert (content["run_id"], content["path"]) == (path.name, path.name)
    assert str(tmp_path) not in json.dumps(content)
    assert (tmp_path / "results/digits/reference.json").stat().st_size < 2000
    code, out, _ = harness(*words)
    assert (code, json.loads(out)["reference"]) == (0, path.name)


def test_accept_takes_further_sessions_at_once_or_later(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = copy_of_recording(tmp_path / "results")
    for n in range(2):
        other = path.with_name(f"2026010{n}-000000-0000")
        shutil.copytree(path, other)
        text = (other / "run.json").read_text().replace(f'"run_id": "{path.name}"', f'"run_id": "{other.name}"')
        (other / "run.json").write_text(text)
    said = (0, "results/digits/reference.json\n")
    assert harness("accept", path.name, "20260100-000000-0000")[:2] == said
    assert harness("accept", "--add", "20260101-000000-0000")[:2] == said
    (tmp_path / "policy.toml").write_text(DROP.replace("0.5pp", "2pp") + REFERENCE)
    code, out, _ = harness("gate", path.name, "--policy", "policy.toml", "--json")
    assert (code, json.loads(out)["reference"]) == (0, path.name)
    assert json.loads(out)["sessions"] == ["20260100-000000-0000", "20260101-000000-0000"]


def after_seal(err: str) -> str:
    """What stands after the line that says of a run of an old schema that it is not sealed."""
    first, _, rest = err.partition("\n")
    assert "is not sealed" in first
    return rest


def test_an_accepted_run_that_is_not_here_is_two_lines(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = copy_of_recording(tmp_path / "results")
    harness("accept", "latest")
    file = tmp_path / "results/digits/reference.json"
    file.write_text(file.read_text().replace(f'"path": "{path.name}"', '"path": "20200101-000000-0000"'))
    (tmp_path / "policy.toml").write_text(DROP + REFERENCE)
    code, _, err = harness("gate", "latest", "--policy", "policy.toml")
    assert code == 2
    assert_two_lines(after_seal(err), f"the reference of digits, run {path.name}, is not here", "--reference RUN")
    file.write_text("{")
    code, _, err = harness("gate", "latest", "--policy", "policy.toml")
    assert code == 2
    assert_two_lines(after_seal(err), "reference.json cannot be read", "harness accept")
    assert harness("gate", "latest")[0] in (0, 1)  # no rule of the default stands against it


def test_a_run_that_is_not_finished_is_not_accepted(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = copy_of_recording(tmp_path / "results")
    (path / "run.json").write_text((path / "run.json").read_text().replace('"finished": true', '"finished": false'))
    code, _, err = harness("accept", "latest")
    assert code == 2
    assert_two_lines(err, "is not finished", "--resume")
    assert not (tmp_path / "results/digits/reference.json").exists()


# --- a process of its own ------------------------------------------------------------------------------------------


@pytest.fixture
def without_tensorflow(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing TensorFlow or Keras fails."""
    for name in ("tensorflow", "keras"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not installed')")
    return os.environ | {"PYTHONPATH": str(tmp_path)}


def as_long_as_a_standard_one(path: Path) -> None:
    """Gives a run ten rounds of 20,000 timings, the most that one has: the recorded ones, over and over."""
    content = json.loads((path / "run.json").read_text())
    content["plan"]["rounds"] = 10
    (path / "run.json").write_text(json.dumps(content))
    for last in path.glob("raw/host/round-001.*"):
        rows = np.load(last / "latencies.npy")
        timed = rows["phase"] == PHASES.index("timed")
        np.save(last / "latencies.npy", np.concatenate([rows[~timed], np.resize(rows[timed], 20_000)]))
        label = json.loads((last / "piece.json").read_text())
        for n in range(2, 10):
            further = shutil.copytree(last, last.with_name(last.name.replace("001", f"{n:03}", 1)))
            (further / "piece.json").write_text(json.dumps(label | {"first": n}))


@pytest.mark.alone
def test_a_long_run_is_judged_without_tensorflow_in_little_more_than_twice_the_time_of_importing_pandas(
    without_tensorflow, tmp_path
):
    as_long_as_a_standard_one(copy_of_recording(tmp_path / "results"))
    (tmp_path / "policy.toml").write_text(
        RULE + 'metric = "accuracy_drop"\nmax = "5pp"\n' + RULE + 'metric = "latency_p90"\nmax = "50ms"\n'
    )

    def seconds(*words: str) -> float:
        """Of the processor: others may be at work on this machine, and the command waits for nothing."""
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        argv = [sys.executable, *words]
        done = subprocess.run(argv, cwd=tmp_path, env=without_tensorflow, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime

    gate = ("-m", "harness", "gate", "latest", "--policy", "policy.toml", "--junit", "gate.xml")
    both = [(seconds(*gate), seconds("-c", "import pandas")) for _ in range(8)]
    assert min(own for own, _ in both) < 2.7 * min(pandas for _, pandas in both)  # 1.9 to 2.4 were seen
    read_junit((tmp_path / "gate.xml").read_bytes())


def test_a_recorded_run_is_judged_as_made_runs_are():
    verdict = judge(compare(loading.load(RECORDED)), parse_policy(DROP.replace("0.5pp", "2pp"), "p"))
    assert (verdict.outcome, verdict.ships) == ("pass", ("float32", "int8"))
