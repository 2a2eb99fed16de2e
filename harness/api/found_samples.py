"""The samples of a run that were looked for, as Python, notebooks and `harness show` have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.api.inline import paragraph, table
from harness.api.shown import Sample, is_finite
from harness.metrics.task_table import kind_of
from harness.records import Comparison
from harness.records.names import row_label
from harness.support.format import plural, significant

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from harness.compare.searched import Hit, Hits


class FoundSamples:
    """Samples in the order that was asked for, each with the row that goes furthest there. total: of how many these are
    the first. Iterating gives each as a Sample.
    """

    def __init__(self, comparison: Comparison, pictures: np.ndarray | None, hits: Hits) -> None:
        self.total = hits.total
        self._comparison = comparison
        self._pictures = pictures
        self._hits = hits.shown

    def __len__(self) -> int:
        return len(self._hits)

    def __iter__(self) -> Iterator[Sample]:
        return (self._sample(hit) for hit in self._hits)

    def _sample(self, hit: Hit) -> Sample:
        return Sample(self._comparison, self._pictures, hit.place)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One a sample, as `harness show --json` prints them. index: in your own order; variant, target, runtime: the
        row that goes furthest; apart: how far it is from Keras, in `apart_unit`; outcome: lost, won, worse, flip or "";
        flipped: how many of `of_rows` flipped; answers: of Keras and every row.
        """
        return [self._row(hit) for hit in self._hits]

    def _row(self, hit: Hit) -> dict[str, Any]:
        said = self._sample(hit).document
        told = {name: said[name] for name in ("index", "label", "answers")}
        far = {"apart": hit.apart if is_finite(hit.apart) else None, "apart_unit": self.counted, "outcome": hit.outcome}
        case = {name: value for name, value in asdict(hit.case).items() if name != "threads"}
        return {**case, **far, "flipped": hit.flipped, "of_rows": len(self._comparison.samples), **told}

    @property
    def document(self) -> dict[str, Any]:
        """The rows, the run, the output that they are of, and how many samples there are."""
        run = self._comparison.run
        return {"run_id": run.run_id, "output": run.scored_output, "total": self.total, "samples": self.rows}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a sample, without the answers; `keras` and `says` are in words."""
        import pandas as pd

        lines = [dict(zip(self.headings, line, strict=True)) for line in self.lines]
        return pd.DataFrame(lines, columns=list(self.headings))

    @property
    def counted(self) -> str:
        """What says how far an answer is from Keras'."""
        told = kind_of(self._comparison.run.task).told
        return (told.counted if told else "") or "max |Δ|"

    @property
    def headings(self) -> tuple[str, ...]:
        errors = ("Keras' error", "Error") if self._has_errors else ()
        flips = ("Than Keras", "Rows that flip") if self._hits and self._hits[0].flipped is not None else ()
        return ("Sample", "Label", "Keras says", "Row", "Says", f"From Keras, {self.counted}", *errors, *flips)

    @property
    def _has_errors(self) -> bool:
        return bool(self._hits) and self._of_keras(self._hits[0]).get("error") is not None

    def _of_keras(self, hit: Hit) -> dict[str, Any]:
        return next(answer for answer in self._sample(hit).document["answers"] if answer["case"] is None)

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """The cells of a table, a line a sample, under `headings`."""
        return [self._line(hit) for hit in self._hits]

    def _line(self, hit: Hit) -> tuple[str, ...]:
        sample, several = self._sample(hit), len(self._comparison.run.targets) > 1
        answers = {answer.case: answer for answer in sample.said.answers}
        keras, own = answers[None], answers[hit.case]
        says = [getattr(answer, "name", "") or getattr(answer, "text", "") for answer in (keras, own)]
        errors = [significant(getattr(answer, "error", None), 4) for answer in (keras, own)] if self._has_errors else []
        flips = [hit.outcome, f"{hit.flipped} of {len(self._comparison.samples)}"] if hit.flipped is not None else []
        row = row_label(hit.case, target=several)
        far = significant(hit.apart, 4)
        return (str(sample.index), sample.label, says[0], row, says[1], far, *errors, *flips)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The suspect variants whose rows were not looked at."""
        left = {case.variant for case in self._comparison.suspect - set(self._comparison.samples)}
        return tuple(sorted(left))

    @property
    def cut(self) -> str:
        """How many of how many are shown."""
        return f"{len(self)} of {self.total:,}" if len(self) < self.total else plural(self.total, "sample")

    def __str__(self) -> str:
        return f"{self.cut}\n{self.frame.to_string(index=False)}" if len(self) else "no such sample"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return paragraph(self.cut) + table(self.headings, self.lines)
