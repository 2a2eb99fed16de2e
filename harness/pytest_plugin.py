"""A gate among the tests: `def test_int8(gate): gate.assert_passes("policy.toml")`. Loaded by pytest itself.

It is loaded in every pytest session of whoever installs the harness, so importing it loads pytest and nothing else; the
rooms of the harness are imported where the first gate is asked for. Paths that a test or an ini file names are relative
to pytest's rootdir, those of the command line to where pytest was started.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from os import PathLike

    from harness import Run, Verdict
    from harness.records import Finding

NARROWEST = 100  # columns that the table of findings needs to be read
PREFIX = 8  # what pytest writes before each line of an assertion
_T = TypeVar("_T")


class GateWarning(UserWarning):
    """A rule that only warns was inconclusive. Always shown, never raised: the model passes, as with `harness gate`."""


class Gate:
    """One run, measured or stored; judged as often as there are policies."""

    def __init__(self, run: Run, root: Path) -> None:
        self.run = run
        self._root = root

    def __repr__(self) -> str:
        return f"<Gate of {self.run.run_id}>"

    def assert_passes(
        self, policy: str | PathLike[str] | None = None, *, reference: str | Sequence[str] | None = None
    ) -> Verdict:
        """The verdict, where the run passes; AssertionError with the findings that do not hold, where it does not.

        policy: a policy.toml, relative to the rootdir; without one, the default policy of `harness gate`. reference: a
        run id, a path or latest, or several sessions of one; without any, what was accepted. What cannot be used, such
        as a policy with a word misspelt, fails the test with what is wrong and what to do.
        """
        __tracebackhide__ = True
        references = [reference] if isinstance(reference, str) else reference or ()
        verdict = plainly(lambda: self._verdict(policy, references))
        if not verdict:
            raise AssertionError(refusal(verdict))
        for finding in verdict.findings:
            if finding.holds and finding.outcome != "pass":
                warn(finding)
        return verdict

    def _verdict(self, policy: str | PathLike[str] | None, references: Sequence[str]) -> Verdict:
        from harness.cli.output import say

        named = [from_root(name, self._root) for name in references]
        return self.run.judge(None if policy is None else self._root / policy, named, say=say)


@pytest.fixture(scope="session")
def gate(pytestconfig: pytest.Config) -> Gate:
    """The run that the options name, or the one that they have measured, ready to be judged."""
    return plainly(lambda: opened(pytestconfig))


# --- options -------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "edge-harness: may this model ship?")
    add = group.addoption
    add("--harness-run", metavar="RUN", help="the run that `gate` judges: a run id, a path, or latest (the default)")
    add("--harness-results", metavar="DIR", help="where runs are kept; default: results in the rootdir")
    add("--harness-experiment", metavar="NAME", help="measure this, as `harness run` would, and judge it")
    add("--harness-trust", action="store_true", help="call the code that the run names, whoever made it")
    add("--harness-target", metavar="TARGET", action="append", help="measure it there; repeatable, default: host")
    add("--harness-plan", metavar="PLAN", help="none, quick, standard or strict; default: its own")
    parser.addini("harness_run", "the run that `gate` judges; a path is relative to the rootdir", default="latest")
    parser.addini("harness_results", "where runs are kept, relative to the rootdir", default="results")


def pytest_configure(config: pytest.Config) -> None:
    chosen = {name: config.getoption(f"harness_{name}") for name in ("run", "experiment", "target", "plan")}
    if chosen["experiment"] and chosen["run"]:
        raise pytest.UsageError("--harness-run judges a stored run, --harness-experiment measures one: give one")
    if (chosen["target"] or chosen["plan"]) and not chosen["experiment"]:
        raise pytest.UsageError("--harness-target and --harness-plan go with --harness-experiment NAME")


# --- the run -------------------------------------------------------------------------------------------------------


def opened(config: pytest.Config) -> Gate:
    """Raises HarnessError where there is no such run, or none could be measured."""
    from harness.api.entry import load
    from harness.cli.output import say

    results = config.getoption("harness_results")
    folder = Path.cwd() / results if results else config.rootpath / config.getini("harness_results")
    if config.getoption("harness_experiment"):
        return Gate(measured(config, folder), config.rootpath)
    run = config.getoption("harness_run") or from_root(config.getini("harness_run"), config.rootpath)
    return Gate(load(run, folder, trust=config.getoption("harness_trust"), say=say), config.rootpath)


def measured(config: pytest.Config, results: Path) -> Run:
    """What `harness run` does, with its progress on the terminal; captured, a run of minutes would look like a hang."""
    from harness.api import entry
    from harness.api.progress import Progress
    from harness.errors import ConfigError

    if hasattr(config, "workerinput"):
        told = "each worker of pytest-xdist would measure on its own, all on one device"
        raise ConfigError(told, "measure first with `harness run`, or leave -n out")
    capture = config.pluginmanager.get_plugin("capturemanager")
    name, plan = config.getoption("harness_experiment"), config.getoption("harness_plan")
    targets, folder = config.getoption("harness_target") or (), config.rootpath / "targets"
    with capture.global_and_fixture_disabled() if capture else nullcontext(), Progress() as progress:
        progress.say(f"\nmeasuring {name} for the first gate")
        return entry.run(name, plan=plan, results=results, progress=progress, targets=targets, targets_dir=folder)


def from_root(run: str, root: Path) -> str:
    """A run that a file names by its path lies below the rootdir; an id or latest stays as it is."""
    return str(root / run) if (root / run / "run.json").exists() else run


# --- words ---------------------------------------------------------------------------------------------------------


def plainly(action: Callable[[], _T]) -> _T:
    """An error of the harness fails the test with its two lines, what happened and what to do, and no traceback."""
    __tracebackhide__ = True
    from harness.errors import HarnessError

    try:
        return action()
    except HarnessError as error:
        told = f"{error}\n{error.advice}".rstrip()
    pytest.fail(told, pytrace=False)


def refusal(verdict: Verdict) -> str:
    """The headline, the findings that do not hold as a table, and what may ship all the same."""
    from dataclasses import replace
    from io import StringIO
    from shutil import get_terminal_size

    from rich.console import Console

    from harness.cli.tables.verdict_table import verdict_table
    from harness.gate.verdict_text import headline, heads, ships

    text = StringIO()
    width = max(NARROWEST, get_terminal_size().columns - PREFIX)
    broken = tuple(finding for finding in verdict.findings if not finding.holds)
    Console(file=text, width=width, color_system=None).print(verdict_table(replace(verdict, findings=broken)))
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    return "\n".join([headline(verdict), *heads(verdict), *lines, ships(verdict)])


def warn(finding: Finding) -> None:
    """Also where warnings are errors: what only warns must not fail a test."""
    from harness.gate.verdict_text import outcome
    from harness.records.names import row_name

    told = f"rule {finding.rule}, {finding.words}: {row_name(finding.case)} is {outcome(finding)}: {finding.reason}"
    with warnings.catch_warnings():
        warnings.simplefilter("always", GateWarning)
        warnings.warn(told, GateWarning, stacklevel=3)
