"""What a run answers: a verdict, changes, a sample, plots. Each is plain data that also shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness import records
from harness.api.inline import paragraph, table
from harness.records import Comparison

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from rich.console import RenderableType

    from harness.compare.answers import Sample as ClassSample
    from harness.compare.numbers import NumberSample
    from harness.compare.two_runs import Pair, TwoRuns
    from harness.report.charts.chart import Chart
    from harness.runs.sessions import Ahead


@dataclass(frozen=True, repr=False)
class Verdict(records.Verdict):
    """Whether a run may ship, and why. It is true where the run passes, and only there."""

    @classmethod
    def of(cls, verdict: records.Verdict) -> Verdict:
        return cls(**{field.name: getattr(verdict, field.name) for field in fields(verdict)})

    def __bool__(self) -> bool:
        return self.outcome == "pass"

    def __str__(self) -> str:
        """The headline, each finding that does not hold with its reason, and what may ship all the same."""
        from harness.gate.verdict_text import headline, heads, ships

        lost = (sentence(f) for f in self.findings if not f.holds)
        return "\n".join([headline(self), *heads(self), *lost, ships(self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from harness.gate.verdict_text import headline, heads, interval, outcome, ships, stands_against, value_and_limit
        from harness.records.names import row_name

        headings = ("Rule", "Row", "Value", "Interval", "Limit", "Outcome", "Reason")
        lines = [
            (
                f"{f.rule} {f.words}",
                row_name(f.case),
                value_and_limit(f)[0],
                interval(f),
                value_and_limit(f)[1],
                outcome(f),
                f.reason,
            )
            for f in self.findings
        ]
        mark = "✅" if self else "❌"
        below = paragraph(" ".join(filter(None, (ships(self), stands_against(self), *heads(self)))))
        return paragraph(f"{mark} {headline(self)}", "h4") + table(headings, lines) + below


def sentence(finding: records.Finding) -> str:
    """The rule, the row, and what stands against it."""
    from harness.gate.verdict_text import outcome, value_and_limit
    from harness.records.names import row_name

    value, limit = value_and_limit(finding)
    told = f"rule {finding.rule}, {finding.words}: {row_name(finding.case)} is {outcome(finding)}"
    return f"{told}: {finding.reason or f'{value}, and the limit is {limit}'}"


class Changes:
    """What changed from one run to another, metric by metric: improved, regressed, changed, similar, or not comparable.

    sessions: the two runs side by side, for programs that need more than the frame.
    """

    def __init__(self, sessions: TwoRuns) -> None:
        self.sessions = sessions

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One a case, metric and output, as `harness compare --json` prints them. reference, candidate: what each run
        itself says, in `own_unit`; value: the change, in `unit`. What rests on rounds has the fingerprint's warnings.
        next_low, next_high: of latency_p50, where one more session of the reference would lie, as a ratio to it; None
        where that is not known, and next_why.
        """
        made = [row for output in self.outputs for pair in output.pairs for row in rows(output, pair)]
        return [row | self._next_of(row) for row in made]

    def _next_of(self, row: dict[str, Any]) -> dict[str, Any]:
        ahead = next((a for case, a in self._ahead.items() if is_latency_of(case, row)), None)
        limits = ahead.limits if ahead else None
        low, high = (limits.low, limits.high) if limits else (None, None)
        return {"next_low": low, "next_high": high, "next_why": ahead.why if ahead else ""}

    @cached_property
    def _ahead(self) -> dict[records.Case, Ahead]:
        """Where one more session of each row of the reference would lie, by the stored ones."""
        from harness.runs.sessions import next_by_case

        return next_by_case(self.sessions)

    @property
    def outputs(self) -> tuple[TwoRuns, ...]:
        """The two runs by each output: the scored one first, then what of the others needs no labels."""
        return (self.sessions, *self.sessions.heads.values())

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame; NaN where a number could not be had."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    @property
    def runs(self) -> tuple[records.Run, records.Run]:
        """The reference and the candidate."""
        return self.sessions.reference.run, self.sessions.candidate.run

    @property
    def of_experiments(self) -> str:
        """That the two are of different experiments; "" where they are of one."""
        names = list(dict.fromkeys(run.experiment for run in self.runs))
        return f"the runs are of different experiments: {' and '.join(names)}" if len(names) > 1 else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands between the two runs, each once: why something is not comparable, what to beware of, and where
        one more session of the reference would lie.
        """
        from harness.compare.fingerprint import REFUSE
        from harness.report.words.two_run_words import next_sessions

        one, other = self.runs
        same = "both are the same run" if one.run_id == other.run_id else ""
        found = dict.fromkeys(d for output in self.outputs for pair in output.pairs for d in pair.differences)
        apart = [f"{'not comparable' if d.level == REFUSE else 'warning'}: {d}" for d in found]
        ahead = next_sessions(self._ahead)
        return tuple(filter(None, (self.of_experiments, same, *apart, *self.sessions.unshared, *ahead)))

    @property
    def headline(self) -> str:
        """How many comparisons there are, and what became of them."""
        from harness.report.words.two_run_words import headline

        return headline(self.sessions)

    @property
    def markdown(self) -> str:
        """For a pull request: what changed first, the rest behind a fold."""
        from harness.report.out.two_run_markdown import render

        return render(self.sessions)

    @property
    def title(self) -> str:
        one, other = self.runs
        return f"{other.run_id} against the reference {one.run_id}"

    def __len__(self) -> int:
        return sum(len(output.changes) for output in self.outputs)

    def __str__(self) -> str:
        text = self.shown.to_string(index=False, na_rep="", float_format=written)
        return "\n".join([self.title, text, *self.notes])

    __repr__ = __str__

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader looks at first."""
        columns = ["variant", "target", "runtime", "threads", "metric", "output", "reference", "candidate", "own_unit"]
        frame: pd.DataFrame = self.frame.reindex(columns=[*columns, "value", "unit", "low", "high", "kind", "method"])
        return frame

    def _repr_html_(self) -> str:
        html = self.shown.to_html(index=False, na_rep="", float_format=written)
        return paragraph(self.title, "h4") + html + "".join(map(paragraph, self.notes))


def written(number: float) -> str:
    """Bytes and counts whole, everything else to four digits."""
    return f"{number:,.0f}" if number.is_integer() else f"{number:.4g}"


def rows(sessions: TwoRuns, pair: Pair) -> list[dict[str, Any]]:
    from harness.compare.fingerprint import WARN

    warnings = [str(d) for d in pair.differences if d.level == WARN]
    made = []
    for change in pair.changes:
        one, other = sessions.values(change)
        own = {"reference": one, "candidate": other, "own_unit": sessions.own_unit(change)}
        row = asdict(change)
        further = {"output": sessions.output_of(change), "warnings": warnings if change.unit == "ratio" else []}
        made.append({**row.pop("case"), **row, **own, **further})
    return made


def is_latency_of(case: records.Case, row: dict[str, Any]) -> bool:
    from harness.runs.sessions import NEXT

    return row["metric"] == NEXT and all(row[name] == value for name, value in asdict(case).items())


class Sample:
    """One test sample: the picture, its label, and what Keras and every variant say to it.

    index: its place in the test set as it was given, from 0. place: in the run's arrays. pictures: the test inputs that
    can be drawn, or None.
    """

    def __init__(self, comparison: Comparison, pictures: np.ndarray | None, place: int) -> None:
        self.index = comparison.run.number_of(place)
        self._place = place
        self._comparison = comparison
        self._pictures = pictures

    @cached_property
    def said(self) -> ClassSample | NumberSample:
        """What each model says, for programs."""
        from harness.compare.answers import sample_answers
        from harness.compare.numbers import number_sample
        from harness.metrics.task_table import OF_CLASSES

        of_classes = self._comparison.run.task in OF_CLASSES
        return (sample_answers if of_classes else number_sample)(self._comparison, self._place)

    @property
    def label(self) -> str:
        """The name of its class, or its number; "" where it has no label."""
        return str(getattr(self.said, "label_name", self.said.label))

    @property
    def document(self) -> dict[str, Any]:
        """Label and answers as `harness show --json` prints them; a number that is not finite is None."""
        answers = [{"variant": answer.variant, **asdict(answer)} for answer in self.said.answers]
        finite = [{name: value if is_finite(value) else None for name, value in answer.items()} for answer in answers]
        said = {"run_id": self._comparison.run.run_id, **asdict(self.said), "index": self.index, "answers": finite}
        return said | ({"heads": {name: head.document for name, head in self.heads.items()}} if self.heads else {})

    @property
    def heads(self) -> dict[str, Sample]:
        """The same sample by each further output that has labels, by its name; {} where there is none."""
        each = self._comparison.heads
        return {name: Sample(each[name], self._pictures, self._place) for name in self._comparison.run.heads}

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One row a model, Keras first, with runtime and target "" for it.

        Of classes: prediction, name, score, margin (highest less second highest score), flip, correct. Of numbers:
        text, apart (mean |Δ| from Keras'), error (from the label).
        """
        import pandas as pd

        found = []
        for answer in self.document["answers"]:
            case = answer.pop("case") or {}
            place = {name: case.get(name, "") for name in ("runtime", "target")}
            found.append({"variant": answer.pop("variant"), **place, **answer})
        return pd.DataFrame(found)

    @cached_property
    def svg(self) -> str:
        """The picture beside every model's scores, as an SVG file of its own."""
        from harness.report.plots.sample_plot import sample_chart

        return sample_chart(self._comparison, self._pictures, self._place).svg

    def __str__(self) -> str:
        """Whether all models say the same, in a sentence or two."""
        from harness.compare.answers import Sample as ClassSample
        from harness.compare.answers import agreement, sample_title
        from harness.compare.numbers import nearness

        said = self.said
        words = agreement(said) if isinstance(said, ClassSample) else nearness(said)
        further = (f"Output {name}: {head}" for name, head in self.heads.items())
        return "\n".join([f"{sample_title(self.index, self.label)}. {words}", *further])

    __repr__ = __str__

    def __rich__(self) -> RenderableType:
        """For a terminal: the picture in characters, and the answers as a table."""
        from harness.report.samples.one_sample import sample_text

        return sample_text(self._comparison, self._pictures, self._place)

    def _repr_html_(self) -> str:
        return self.svg + paragraph(str(self))


def is_finite(value: object) -> bool:
    """Also of what is not a number."""
    return not isinstance(value, float) or isfinite(value)


class Plots(Mapping[str, "Chart"]):
    """The plots of a report by name; those without data are left out. absent: name → why there is none."""

    def __init__(self, charts: Mapping[str, Chart], absent: Mapping[str, str]) -> None:
        self._charts = dict(charts)
        self.absent = dict(absent)

    def __getitem__(self, name: str) -> Chart:
        return self._charts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._charts)

    def __len__(self) -> int:
        return len(self._charts)

    def __repr__(self) -> str:
        return f"<Plots: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        shown = "".join(paragraph(name, "h4") + chart.svg for name, chart in self.items())
        return shown + "".join(paragraph(f"{name}: {why}") for name, why in self.absent.items())
