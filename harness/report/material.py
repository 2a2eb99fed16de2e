"""What a report is made of: the comparison, the pictures behind it, and what every format derives from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness.compare.rows import Row, rows
from harness.records import Absent, Comparison, Run, Standing, Verdict
from harness.report.metric import Primary, primary

if TYPE_CHECKING:
    import numpy as np

    from harness.diagnosis.explanation import Explanation
    from harness.measure.selftest.aa_result import AaResult
    from harness.runs.spent import Spent


UNJUDGED = Absent("nobody asked for one")


@dataclass(frozen=True)
class Material:
    """pictures: the stored test inputs that can be drawn, (samples, h, w), (samples, h, w, 1) or (samples, h, w, 3);
    None where there are none.

    aa: what `harness aa` found on each of the run's machines where it was run. verdict: Absent says why there is none.
    sessions: this run and the stored ones that may be further sessions of it; None where nobody looked.
    spent: what its time went to; None where that is not known. explained: its rows that `harness explain` looked into.
    """

    comparison: Comparison
    pictures: np.ndarray | None = None
    aa: tuple[AaResult, ...] = ()
    verdict: Verdict | Absent = UNJUDGED
    sessions: tuple[Run, ...] | None = None
    spent: Spent | None = None
    explained: tuple[Explanation, ...] = ()

    @cached_property
    def heads(self) -> tuple[Material, ...]:
        """Each of several labelled outputs as if it were the only one, the worst first; () of one."""
        run, each = self.comparison.run, self.comparison.by_output
        judged = () if isinstance(self.verdict, Absent) else tuple(head.output for head in self.verdict.heads)
        names = (judged or run.labelled_outputs) if run.heads else ()
        alone = (replace(each[name], standings=self.standings_of(name), heads={}) for name in names)
        return tuple(Material(comparison, self.pictures) for comparison in alone)

    def standings_of(self, output: str) -> tuple[Standing, ...]:
        return tuple(s.outputs.get(output, s) for s in self.comparison.standings)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return rows(self.comparison)

    @cached_property
    def primary(self) -> Primary:
        return primary(self.comparison)

    @cached_property
    def has_change(self) -> bool:
        """Whether the run says how far its first metric moved from Keras' own."""
        return any(change.metric == self.primary.change for change in self.comparison.changes)


def material_of(comparison: Comparison, verdict: Verdict | Absent = UNJUDGED) -> Material:
    """The comparison with its verdict, the pictures of its own test set, and what `harness aa` found in results/."""
    from harness.data.picture import pictures_of
    from harness.measure.selftest.aa_result import of_run
    from harness.runs.sessions import sessions_of
    from harness.runs.spent import read_spent

    run = comparison.run
    aa = of_run(run.path.parent.parent, run)
    pictures = pictures_of([run.inputs[n] for n in run.brought])
    return Material(comparison, pictures, aa, verdict, sessions_of(run), read_spent(run.path), explained_of(run))


def explained_of(run: Run) -> tuple[Explanation, ...]:
    """What is kept of the run's rows; most runs have nothing, and load nothing for it."""
    if not (run.path / "explained").is_dir():
        return ()
    from harness.diagnosis.kept_explanations import kept

    return kept(run.path)
