"""The gate among the tests: what pytest says of a run that passes, that does not, that cannot be judged or measured."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import harness.cli.command_gate
import harness.cli.command_run
import harness.cli.tables.verdict_table  # noqa: F401  what a gate imports, before pytester would take it out of sys.modules
from harness import pipeline
from harness.compare.baseline import compare
from harness.errors import TargetBusy
from harness.pipeline import Request
from harness.records import Run
from harness.runs import loading
from harness.runs.header import read_header
from tests.devices import RECORDED, copy_of_recording
from tests.made_answers import DROP, RULE, dropped, timed_run

pytest_plugins = ["pytester"]

SIZE = RULE + 'metric = "size_bytes"\nmax = "{}"\n'
TEST = "def test_it(gate):\n    gate.assert_passes({})\n"
WARNS = DROP + 'on_inconclusive = "warn"\n'
BUSY_S = 120  # others may measure on this machine
RUN_ID = read_header(RECORDED).run_id


@pytest.fixture
def stored(pytester: pytest.Pytester) -> Path:
    """The recorded run in results/ of the rootdir."""
    return copy_of_recording(pytester.path / "results")


@pytest.fixture
def made(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Puts a made run into the place of the stored one."""

    def put(run: Run) -> None:
        path = pytester.path / "results" / "made" / "candidate"
        path.mkdir(parents=True)
        (path / "run.json").write_text("{}")
        pytester.makeini("[pytest]\nharness_run = candidate\n")
        monkeypatch.setattr(loading, "load", lambda *_: run)

    return put


def write(pytester: pytest.Pytester, policy: str, test: str = TEST.format('"policy.toml"')) -> None:
    (pytester.path / "policy.toml").write_text(policy)
    pytester.makepyfile(test)


# --- outcomes ------------------------------------------------------------------------------------------------------


def test_a_run_that_passes_is_a_test_that_passes(pytester, stored) -> None:
    write(pytester, SIZE.format("1MB"))
    result = pytester.runpytest("-W", "error")
    result.assert_outcomes(passed=1)


def test_the_verdict_is_returned(pytester, stored) -> None:
    lines = (
        "def test_it(gate):",
        "    verdict = gate.assert_passes('policy.toml')",
        f"    assert (verdict.outcome, verdict.run_id) == ('pass', '{RUN_ID}')",
        "    assert {f.case.variant for f in verdict.findings} == {'float32', 'int8'}",
    )
    write(pytester, SIZE.format("1MB"), "\n".join(lines))
    pytester.runpytest().assert_outcomes(passed=1)


def test_without_a_policy_the_default_one_judges(pytester, stored) -> None:
    """As `harness gate` judges the recorded run, which test_gate_cli asks in a process of its own."""
    pytester.makepyfile("def test_it(gate):\n    assert gate.assert_passes().policy == 'the default policy'\n")
    pytester.runpytest().assert_outcomes(passed=1)


def test_what_does_not_hold_is_a_table_without_a_traceback(pytester, made) -> None:
    made(dropped(200, 20, 10_000))
    write(pytester, DROP + SIZE.format("1MB"))
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "gate = <Gate of 20260101-000000-0000>",
            ">*gate.assert_passes(*",
            "E*AssertionError: 20260101-000000-0000 does not pass: fail (4 findings: 3 pass and 1 fail; by *)",
            "E*1 accuracy_drop max 0.5pp against keras at 95 %",
            "E*int8 on host*1.800 pp*1.568 to 2.053*fail*",
            "E*Passes every rule: float32.",
        ]
    )
    text = result.stdout.str()
    assert "size_bytes" not in text  # it holds
    assert "float32 on host" not in text
    for file in ("pytest_plugin.py", "cli/gate.py", "\x1b"):
        assert file not in text
    table = [line for line in text.splitlines() if line.startswith("E") and "does not pass" not in line]
    assert max(map(len, table)) <= 108


@pytest.mark.parametrize(
    ("run", "policy", "outcome"),
    [
        (lambda: dropped(60, 20, 10_000), DROP, "inconclusive"),
        (lambda: dropped(0, 0, 1000), RULE + 'metric = "latency_p50"\nmax = "1s"\n', "missing"),
        (lambda: dropped(0, 0, 1000), SIZE.format("1MB") + 'variant = "int4"\n', "missing"),
        (lambda: timed_run([1] * 8, [1] * 8, emulated=True), RULE + 'metric = "latency_p50"\nmax = "1s"\n', "invalid"),
    ],
    ids=["inconclusive", "no value", "no row", "emulated"],
)
def test_what_is_not_known_does_not_pass(pytester, made, run, policy, outcome) -> None:
    made(run())
    write(pytester, policy)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E*does not pass: {outcome} (*"])


@pytest.mark.parametrize("strict", [(), ("-W", "error")], ids=["", "warnings are errors"])
def test_inconclusive_under_a_rule_that_warns_passes_with_a_warning(pytester, made, strict) -> None:
    made(dropped(60, 20, 10_000))
    write(pytester, WARNS)
    result = pytester.runpytest(*strict)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*GateWarning: rule 1, accuracy_drop*int8 on host*is inconclusive (warns): *"])


def test_a_rule_that_warns_still_fails_what_is_worse(pytester, made) -> None:
    made(dropped(200, 20, 10_000))
    write(pytester, WARNS)
    pytester.runpytest().assert_outcomes(failed=1)


def test_one_run_is_judged_by_several_policies(pytester, stored, monkeypatch) -> None:
    loaded: list[Path] = []
    load = loading.load

    def noted(path: Path, *more) -> Run:
        loaded.append(path)
        return load(path, *more)

    monkeypatch.setattr(loading, "load", noted)
    (pytester.path / "small.toml").write_text(SIZE.format("1KB"))
    write(
        pytester, SIZE.format("1MB"), TEST.format("'policy.toml'") + TEST.format("'small.toml'").replace("it", "small")
    )
    pytester.runpytest().assert_outcomes(passed=1, failed=1)
    assert loaded == [stored]


# --- a reference ---------------------------------------------------------------------------------------------------


def test_rules_against_a_reference_stand_against_the_run_that_is_named(pytester, stored) -> None:
    policy = RULE + 'metric = "size_bytes"\nmax_increase = "0%"\nagainst = "reference"\n'
    named = TEST.format("'policy.toml', reference='results/digits/" + RUN_ID + "'")
    write(pytester, policy, TEST.format("'policy.toml'").replace("it", "alone") + named)
    result = pytester.runpytest("-v")
    result.stdout.fnmatch_lines(["*test_alone FAILED*", "*test_it PASSED*", "E*does not pass: missing*"])


# --- where things are ----------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_rootdir_wherever_pytest_is_started(pytester, stored, monkeypatch) -> None:
    write(pytester, SIZE.format("1MB"))
    pytester.makeini("[pytest]\n")
    (pytester.path / "elsewhere").mkdir()
    monkeypatch.chdir(pytester.path / "elsewhere")
    pytester.runpytest("..").assert_outcomes(passed=1)


def test_ini_says_which_run_and_where(pytester) -> None:
    copy_of_recording(pytester.path / "kept")
    write(pytester, SIZE.format("1MB"))
    pytester.makeini("[pytest]\nharness_results = kept\n")
    pytester.runpytest().assert_outcomes(passed=1)
    pytester.makeini(f"[pytest]\nharness_run = kept/digits/{RUN_ID}\n")
    pytester.runpytest().assert_outcomes(passed=1)


def test_the_command_line_is_stronger_than_ini(pytester) -> None:
    copy_of_recording(pytester.path / "kept")
    write(pytester, SIZE.format("1MB"))
    pytester.makeini("[pytest]\nharness_results = nowhere\nharness_run = nothing\n")
    pytester.runpytest("--harness-results", "kept", "--harness-run", RUN_ID).assert_outcomes(passed=1)


# --- what cannot be used -------------------------------------------------------------------------------------------


def assert_told(result: pytest.RunResult, *lines: str) -> None:
    """What happened and what to do, and not where in the harness it was noticed."""
    result.stdout.fnmatch_lines(list(lines))
    for word in ("Traceback", "HarnessError", "StoreError", "ConfigError", "pytest_plugin.py:", "During handling"):
        assert word not in result.stdout.str()


def test_no_run_is_an_error_that_says_what_to_do(pytester) -> None:
    pytester.makepyfile(TEST.format("") + TEST.format("").replace("it", "again"))
    result = pytester.runpytest()
    result.assert_outcomes(errors=2)
    assert_told(result, "there is no run 'latest' in *results", "`harness run` makes one; *")


@pytest.mark.parametrize(
    ("policy", "lines"),
    [
        (DROP.replace("max", "maxx"), ("*policy.toml:3: rule 1: unknown key 'maxx'", "did you mean max?*")),
        ("", ("*policy.toml has no rules, so it would let everything pass", "write a *rule*with a metric")),
    ],
)
def test_a_broken_policy_fails_with_its_place(pytester, stored, policy, lines) -> None:
    write(pytester, policy)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    assert_told(result, *lines)


def test_a_policy_that_is_not_there_is_told_by_its_whole_path(pytester, stored) -> None:
    pytester.makepyfile(TEST.format("'polciy.toml'"))
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    assert_told(result, f"there is no file {pytester.path}/polciy.toml", "relative paths *")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--harness-run", "latest", "--harness-experiment", "digits"), "*give one"),
        (("--harness-target", "host"), "*go with --harness-experiment NAME"),
        (("--harness-plan", "quick"), "*go with --harness-experiment NAME"),
    ],
)
def test_options_that_say_nothing_are_refused(pytester, words, said) -> None:
    pytester.makepyfile(TEST.format(""))
    result = pytester.runpytest(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


# --- measuring first -----------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What is asked of the pipeline, which answers with the recorded run."""
    requests: list[Request] = []

    def run(request, store_, cache, listener, judge, policy):
        requests.append(request)
        listener.say("measuring")
        comparison = compare(loading.load(RECORDED))
        return pipeline.Conclusion(comparison, judge(comparison))

    monkeypatch.setattr(pipeline, "run", run)
    return requests


def test_an_experiment_is_measured_once_before_the_first_gate(pytester, asked) -> None:
    write(pytester, SIZE.format("1MB"), TEST.format("'policy.toml'") + TEST.format("").replace("it", "again"))
    pytester.makepyfile(test_else=TEST.format("'policy.toml'"))
    (pytester.path / "targets").mkdir()
    (pytester.path / "targets" / "board.toml").write_text('kind = "ssh"\nhost = "board.local"\n')
    words = ("--harness-experiment", "digits", "--harness-target", "board", "--harness-plan", "quick")
    result = pytester.runpytest(*words)
    result.assert_outcomes(passed=3)
    (request,) = asked
    assert (request.experiment.name, request.experiment.plan.profile) == ("digits", "quick")
    assert [target.host for target in request.targets] == ["board.local"]
    result.stderr.fnmatch_lines(["measuring"])  # seen while it goes on, not captured


def test_nothing_is_measured_where_no_test_asks_for_a_gate(pytester, asked) -> None:
    pytester.makepyfile("def test_it(): ...")
    pytester.runpytest("--harness-experiment", "digits").assert_outcomes(passed=1)
    assert not asked


def test_the_standard_plan_on_host_is_the_default(pytester, asked) -> None:
    pytester.makepyfile(TEST.format(""))
    pytester.runpytest("--harness-experiment", "digits").assert_outcomes(passed=1)
    assert (asked[0].experiment.plan.profile, [t.name for t in asked[0].targets]) == ("standard", ["host"])


def test_a_device_that_cannot_be_had_is_told_once_asked_for_once(pytester, monkeypatch) -> None:
    calls: list[int] = []

    def run(*_: object) -> None:
        calls.append(1)
        raise TargetBusy("pi is held by ann", "wait until her run is over")

    monkeypatch.setattr(pipeline, "run", run)
    pytester.makepyfile(TEST.format("") + TEST.format("").replace("it", "again"))
    result = pytester.runpytest("--harness-experiment", "digits")
    result.assert_outcomes(errors=2)
    assert_told(result, "pi is held by ann", "wait until her run is over")
    assert calls == [1]


def test_an_unknown_experiment_is_told(pytester) -> None:
    pytester.makepyfile(TEST.format(""))
    result = pytester.runpytest("--harness-experiment", "digts")
    result.assert_outcomes(errors=1)
    assert_told(result, "*digts*")


def test_workers_do_not_measure_each_on_its_own(pytester, asked) -> None:
    pytester.makeconftest("def pytest_configure(config):\n    config.workerinput = {}\n")
    pytester.makepyfile(TEST.format(""))
    result = pytester.runpytest("--harness-experiment", "digits")
    result.assert_outcomes(errors=1)
    assert_told(result, "each worker of pytest-xdist would measure*", "measure first with `harness run`*")
    assert not asked


@pytest.mark.slow
def test_a_real_run_goes_through_pytest(pytester, monkeypatch, digits_cache) -> None:
    """TensorFlow's process starts anew from pytest's own main module, and what is measured is stored as ever."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(digits_cache))
    write(pytester, SIZE.format("1MB") + RULE + 'metric = "accuracy"\nmin = "80%"\n')
    deadline = time.monotonic() + BUSY_S
    while True:
        result = pytester.runpytest_subprocess("--harness-experiment", "digits", "--harness-plan", "none")
        if "is held by" not in result.stdout.str() or time.monotonic() > deadline:
            break
        time.sleep(1)
    result.assert_outcomes(passed=1)
    (header,) = (read_header(path.parent) for path in pytester.path.glob("results/digits/*[0-9a-f]/run.json"))
    assert (header.finished, header.plan.profile) == (True, "none")
    result.stderr.fnmatch_lines(["measuring digits for the first gate", f"run {header.run_id} in *"])


# --- being loaded in every session ---------------------------------------------------------------------------------


def test_pytest_finds_the_plugin_by_itself() -> None:
    (found,) = (e for e in entry_points(group="pytest11") if e.value.startswith("harness"))
    assert (found.name, found.value) == ("edge-harness", "harness.pytest_plugin")


def test_importing_it_loads_nothing_but_pytest() -> None:
    script = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport harness.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["harness", "harness.pytest_plugin"]


def test_a_session_without_a_gate_imports_no_room(pytester) -> None:
    lines = (
        "import sys",
        "def test_it(pytestconfig):",
        "    assert pytestconfig.pluginmanager.has_plugin('edge-harness')",
        "    rooms = {n for n in sys.modules if n.startswith('harness')}",
        "    assert rooms == {'harness', 'harness.pytest_plugin'}",
        "    assert not {'numpy', 'pandas', 'typer', 'rich'} & set(sys.modules)",
    )
    pytester.makepyfile("\n".join(lines))
    pytester.runpytest_subprocess("-p", "no:benchmark").assert_outcomes(passed=1)


def test_the_plugin_can_be_left_out(pytester) -> None:
    pytester.makepyfile(TEST.format(""))
    result = pytester.runpytest_subprocess("-p", "no:edge-harness")
    result.stdout.fnmatch_lines(["E*fixture 'gate' not found"])
