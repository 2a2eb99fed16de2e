"""A stored run, ready to be looked at, judged and compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from inspect import stack
from itertools import takewhile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from harness import records
from harness.api import frames
from harness.api.found_samples import FoundSamples
from harness.api.inline import frame, kernel, paragraph, table
from harness.api.shown import Changes, Plots, Sample, Verdict
from harness.compare.baseline import compare
from harness.compare.searched import narrowed
from harness.errors import ConfigError
from harness.records import Absent, Case, Comparison
from harness.records.names import row_name
from harness.records.terms import SearchOrder

if TYPE_CHECKING:
    import pandas as pd

    from harness.gate.at_limit import Explain
    from harness.gate.policy import Policy
    from harness.pipeline import Conclusion, Listener
    from harness.report.material import Material
    from harness.runs.store import Store

Say = Callable[[str], None]


class Run:
    """One run. What it says is derived from what it measured when it is first asked for.

    stored: all that the run left behind. results: the store that it lies in, where references are looked for.
    conclusion: what the run came to, where it was measured just now.
    """

    def __init__(self, stored: records.Run, results: Store, conclusion: Conclusion | None = None) -> None:
        self.stored = stored
        self.results = results
        if conclusion is not None:
            self.comparison = conclusion.comparison
            self.verdict = shown_verdict(conclusion.verdict)

    @property
    def run_id(self) -> str:
        return self.stored.run_id

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.stored.path

    @property
    def finished(self) -> bool:
        """Whether everything was measured; resume() goes on with a run that was interrupted."""
        return self.stored.finished

    @cached_property
    def comparison(self) -> Comparison:
        """Every metric of every case, for programs that need more than the tables."""
        return compare(self.stored)

    @cached_property
    def verdict(self) -> Verdict | Absent:
        """The verdict that its report begins with: by the policy that the run was made with, else by the default one.

        It is true where the run passes. Absent is false, too, and says why there is no verdict.
        """
        from harness.gate.run_gate import default_verdict

        return shown_verdict(default_verdict(self.comparison))

    # --- tables

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row a variant × target × runtime × threads, with the columns of summary.csv."""
        return frames.summary(self.comparison)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row a case × metric, with the columns of metrics.csv."""
        return frames.metrics(self.comparison)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """One row a timing of the rounds that count, with the columns of latency.parquet."""
        return frames.latency(self.stored)

    def samples(
        self,
        variant: str | None = None,
        runtime: str | None = None,
        target: str | None = None,
        output: str | None = None,
    ) -> pd.DataFrame:
        """One row a sample × variant × target × runtime, with the columns of samples.parquet.

        variant, runtime, target: only the rows of these. output: of which one the answers are; None for the scored one.
        Raises ConfigError where the run has no answers of such a row, or no such output.
        """
        answered = self._of_output(output).answered
        asked = (("variant", variant), ("runtime", runtime), ("target", target))
        wanted = {name: value for name, value in asked if value is not None}
        found = {case: rows for case, rows in answered.items() if is_one_of(case, wanted)}
        if wanted and not found:
            names = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
            known = ", ".join(dict.fromkeys(map(row_name, self.comparison.answered)))
            raise ConfigError(f"run {self.run_id} has no answers of {names}", f"it has those of {known or 'none'}")
        return frames.samples(found, self.stored.numbers)

    def _of_output(self, name: str | None) -> Comparison:
        """Raises ConfigError."""
        each = self.comparison.by_output
        if name is not None and name not in each:
            raise ConfigError(f"the model has no output {name!r}", f"its outputs are {', '.join(each)}")
        return self.comparison if name is None else each[name]

    # --- pictures

    def sample(self, index: int, variants: str | Sequence[str] = ()) -> Sample:
        """One test sample: its picture, its label, what each model says. variants: names or globs; () for all.
        Raises ConfigError where there is none.
        """
        total = self.stored.test_count
        if not 0 <= index < total:
            raise ConfigError(f"there is no sample {index}", f"the test set of this run has samples 0 to {total - 1}")
        asked = [variants] if isinstance(variants, str) else variants
        comparison = narrowed(self.comparison, asked) if asked else self.comparison
        return Sample(comparison, self._material.pictures, self.stored.place_of(index))

    def find(
        self,
        *,
        flips: bool = False,
        of_class: str | int = "",
        worst: int = 12,
        by: SearchOrder = "discrepancy",
        variants: str | Sequence[str] = (),
        output: str | None = None,
    ) -> FoundSamples:
        """The samples that a reader looks at first: those that moved most.

        flips: only samples in which a row flipped, first those that a row lost. of_class: only samples of this class, a
            name or number; without labels, those that Keras takes for it. worst: how many.
        by: "discrepancy", how far the furthest row is from Keras, or "error", how far it is from the label.
        variants: names or globs; () for all that are not suspect. output: as in samples().
        Raises ConfigError where the task has no such thing, or the run no such class, variant or output.
        """
        from harness.compare.searched import Search, search

        asked = [variants] if isinstance(variants, str) else variants
        comparison = narrowed(self._of_output(output), asked)
        hits = search(comparison, Search(flips, str(of_class), by, worst))
        return FoundSamples(comparison, self._material.pictures, hits)

    @cached_property
    def plots(self) -> Plots:
        """The report's plots by their names: each shows itself in a notebook, and is an SVG."""
        from harness.report.sections import charts

        return Plots(*charts(self._material))

    # --- judged and compared

    def judge(
        self,
        policy: str | PathLike[str] | Policy | None = None,
        reference: str | PathLike[str] | Run | Sequence[str | PathLike[str] | Run] = (),
        *,
        remeasure: bool = False,
        explain: bool | Explain = False,
        signers: str | PathLike[str] | None = None,
        say: Say | None = None,
        progress: Listener | None = None,
    ) -> Verdict:
        """Whether the run may ship.

        policy: a policy.toml, or a Policy; None for the default: every variant but float32 loses under 1 pp of
            accuracy, at 95 %.
        reference: the run that rules against a reference stand against, then further sessions of it: ids, paths,
            "latest" or Runs; none for the accepted one.
        remeasure: times the reference's models again beside this run's, on its devices, and judges by that.
        explain: says beside each finding how often a model exactly at the limit, and a harmless one, would pass; it may
            take seconds. "computed": only where that takes none, as in a report.
        signers: a file of allowed signers, as ssh-keygen has it: this run and all that it is judged against must be
            signed by one of them.
        say: is told what was asked for and changes nothing; a Python warning by default. progress: hears how the
            measuring goes.

        Raises ConfigError, DataError, StoreError, TargetError.
        """
        from harness.gate import run_gate
        from harness.gate.decide import metrics_of

        if signers is not None:
            run_gate.check_signed(self.path, Path(signers))
        run_gate.check_judgeable(self.stored)
        rules = as_policy(policy, self.stored.every_scoring) or run_gate.policy_of(None, tasks=self.stored.tasks)
        known = self.__dict__.get("comparison")  # all of it, where that was derived already
        candidate = known or compare(self.stored, metrics_of(rules))
        again = (lambda path, cases: self._timed_beside(path, cases, progress)) if remeasure else None
        how_far = ("simulated" if explain else "") if isinstance(explain, bool) else explain
        further = (candidate, rules, references(reference), self.results, say or warn, again, how_far, as_path(signers))
        return Verdict.of(run_gate.verdict_of(*further))

    def upgrade(
        self,
        present: str,
        candidate: str,
        policy: str | PathLike[str] | Policy | None = None,
        *,
        say: Say | None = None,
    ) -> Verdict:
        """Whether the candidate engine may take the place of the present one, of two that this run measured.

        policy: its rules against a reference stand against the present engine; None for the default: the metric of the
            task loses under 1 pp, under 1 % of answers are others, and the median is at most 10 % slower.
        say: is told where no rule stands against the present engine; a Python warning by default.
        Raises ConfigError, DataError, StoreError.
        """
        from harness.gate import run_gate, upgrade
        from harness.gate.decide import metrics_of
        from harness.gate.reference.two_engines import check_measured_both, engines_of

        engines = engines_of(present, candidate)
        check_measured_both(self.stored, engines)
        run_gate.check_judgeable(self.stored)
        rules = as_policy(policy, self.stored.every_scoring) or upgrade.default_rules(self.stored, engines)
        if all(rule.against != "reference" for rule in rules.rules):
            (say or warn)(f'no rule has against = "reference": of {present} it is only asked what it loads')
        measured = self.__dict__.get("comparison") or compare(self.stored, metrics_of(rules))
        return Verdict.of(upgrade.judge_upgrade(measured, engines, rules))

    def _timed_beside(self, reference: Path, cases: Sequence[Case], progress: Listener | None) -> Comparison:
        from harness import pipeline
        from harness.api.listeners import listening

        with listening(progress) as listener:
            return pipeline.remeasure(self.path, reference, cases, self.results, listener)

    def compare(self, reference: str | PathLike[str] | Run) -> Changes:
        """What changed since the reference, another run: an id, a path, "latest" or a Run. Raises StoreError."""
        from harness.compare.two_runs import compare_runs

        other = reference.stored if isinstance(reference, Run) else self.results.load(str(reference))
        return Changes(compare_runs(other, self.stored))

    def resume(
        self,
        *,
        policy: str | PathLike[str] | Policy | None = None,
        reference: str | PathLike[str] | Run | Sequence[str | PathLike[str] | Run] = (),
        wait_s: float = 0.0,
        progress: Listener | None = None,
    ) -> Run:
        """Goes on where the run was interrupted; what it has measured is not measured again.

        policy, reference: as in judge(); the report begins with the verdict. A run until_decided asks on until this
        policy is decided; where that has a rule of the whole test set, it asks all of it.
        wait_s: how long a device that another run holds is waited for.

        Raises StoreError where a file of it was changed or another process measures it, ConfigError where you did not
        begin it here and it was not loaded with trust=True, TargetError where a device is lost or is another.
        """
        from harness import pipeline
        from harness.api.listeners import listening
        from harness.gate.run_gate import judge_by

        rules = as_policy(policy, self.stored.every_scoring)
        with listening(progress) as listener:
            judge = judge_by(rules, references(reference), self.results, listener.say)
            conclusion = pipeline.resume(str(self.path), self.results, listener, judge, rules, wait_s)
        return Run(conclusion.comparison.run, self.results, conclusion)

    # --- reports

    @cached_property
    def _material(self) -> Material:
        from harness.report.material import material_of

        return material_of(self.comparison, self.verdict)

    def report(self, format: str = "html") -> str:
        """The report as text: html, markdown, csv or pytest-benchmark. Raises ConfigError."""
        from harness.report import render

        return render(self._material, format)

    def left_out(self, format: str) -> tuple[str, ...]:
        """What the report leaves out in this format and why, one sentence each."""
        from harness.report import left_out

        return left_out(self._material, format)

    def write_report(self, folder: str | PathLike[str] | None = None) -> Path:
        """Writes the tables, the plots and the report again. folder: None for the run's own. Returns report.html."""
        from harness.report import derive

        return derive(self.comparison, self.verdict, as_path(folder) or self.path)

    def show(self) -> Path | None:
        """Shows the whole report.html in a notebook; elsewhere returns its path. It is written where it is missing."""
        page = self.path / "report.html"
        if not page.exists():
            self.write_report()
        if not kernel():
            return page
        from IPython.display import HTML, display

        display(HTML(frame(page)))
        return None

    # --- itself

    def __repr__(self) -> str:
        state = "" if self.finished else ", not finished"
        return f"<Run {self.run_id} of {self.stored.experiment}{state}>"

    def _repr_html_(self) -> str:
        """Headline, summary, and the verdict."""
        from harness.report.words.summary import headline

        state = "" if self.finished else "This run is not finished: resume() goes on with it."
        title = paragraph(f"{self.stored.experiment}, {self.stored.plan.profile} plan, run {self.run_id}", "h3")
        words = paragraph(headline(self._material)) + paragraph(state)
        return title + words + "".join(summary_html(self._material)) + self._verdict_html()

    def _verdict_html(self) -> str:
        if isinstance(self.verdict, Absent):
            return paragraph(f"No verdict: {self.verdict.reason}")
        return self.verdict._repr_html_()


def shown_verdict(verdict: records.Verdict | Absent) -> Verdict | Absent:
    """The verdict as a user sees it."""
    return verdict if isinstance(verdict, Absent) else Verdict.of(verdict)


def summary_html(material: Material) -> list[str]:
    """The report's summary, a table a target, with the reasons of rows that are not ok."""
    from harness.report.tables.summary_table import tables

    made = []
    for each in tables(material):
        headings = [f"{h.title}\n{h.unit}" if h.unit else h.title for h in each.headings]
        lines = [[f"{c.text}\n{c.note}" if c.note else c.text for c in line.cells] for line in each.lines]
        why = [f"{line.cells[0].text} on {line.cells[1].text} {line.status}: {line.reason}" for line in each.lines]
        reasons = dict.fromkeys(text for text, line in zip(why, each.lines, strict=True) if line.reason)
        below = "".join(map(paragraph, filter(None, (each.caution, *reasons))))
        made.append(paragraph(f"On {each.target}", "h4") + table(headings, lines) + below)
    return made


def is_one_of(case: Case, wanted: dict[str, str]) -> bool:
    return all(getattr(case, name) == value for name, value in wanted.items())


def references(given: str | PathLike[str] | Run | Sequence[str | PathLike[str] | Run]) -> list[str]:
    """Names or paths, as the gate looks them up."""
    every = [given] if isinstance(given, str | PathLike | Run) else given
    return [str(each.path if isinstance(each, Run) else each) for each in every]


def as_policy(given: str | PathLike[str] | Policy | None, scoring: records.Scoring) -> Policy | None:
    """A policy as it was handed in, or read for a run that is scored so. Raises ConfigError."""
    from harness.gate.policy import Policy
    from harness.gate.run_gate import policy_of

    return given if given is None or isinstance(given, Policy) else policy_of(Path(given), scoring)


def as_path(given: str | PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)


def warn(text: str) -> None:
    """Warns at the line of the user that called the harness, however deep that is."""
    callers = takewhile(lambda frame: frame.frame.f_globals.get("__name__", "").startswith("harness."), stack(0))
    warnings.warn(text, stacklevel=1 + len(list(callers)))
