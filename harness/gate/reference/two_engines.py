"""One run that measured two engines → a candidate, its reference, and both side by side, as the gate takes them.

The rows of both get the candidate's engine as their name, so that each row meets its own. Nothing is measured again,
and nothing is computed again: rows are chosen and named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.errors import ConfigError
from harness.gate.reference.side_by_side import AT, CANDIDATE, REFERENCE, SIDES, on_side
from harness.records import Case, Comparison, Run, Standing
from harness.support.format import listed

Value = TypeVar("Value")
Named = Callable[[Case], Case | None]  # None: the row is left out


@dataclass(frozen=True)
class Engines:
    """The engine that runs the models today, and the one that would take its place. Both are names of engines."""

    present: str
    candidate: str


@dataclass(frozen=True)
class TwoEngines:
    """What one run says of each engine. beside: of both, each variant under the name of its side."""

    candidate: Comparison
    reference: Comparison
    beside: Comparison


def two_engines(measured: Comparison, engines: Engines) -> TwoEngines:
    """Raises ConfigError where the run did not measure both."""
    check_measured_both(measured.run, engines)
    side_of = {engines.candidate: CANDIDATE, engines.present: REFERENCE}

    def as_candidate(case: Case) -> Case:
        return replace(case, runtime=engines.candidate)

    def of_engine(engine: str) -> Named:
        return lambda case: as_candidate(case) if case.runtime == engine else None

    def on_its_side(case: Case) -> Case | None:
        return on_side(as_candidate(case), side_of[case.runtime]) if case.runtime in side_of else None

    candidate, reference = (renamed(measured, of_engine(e)) for e in (engines.candidate, engines.present))
    beside = renamed(measured, on_its_side)
    variants = tuple(replace(v, name=v.name + AT + side) for v in beside.run.variants for side in SIDES)
    return TwoEngines(candidate, reference, replace(beside, run=replace(beside.run, variants=variants)))


def engines_of(present: str, candidate: str) -> Engines:
    """Raises ConfigError where both are the same."""
    if present == candidate:
        message = f"{present} cannot be held against itself"
        raise ConfigError(message, "name another engine as the candidate; `harness aa` compares a model with itself")
    return Engines(present, candidate)


def check_measured_both(run: Run, engines: Engines) -> None:
    """Raises ConfigError."""
    there = tuple(dict.fromkeys(case.runtime for case in run.cases))
    if missing := [engine for engine in (engines.present, engines.candidate) if engine not in there]:
        message = f"run {run.run_id} has no {listed(missing)}: it measured {listed(there)}"
        raise ConfigError(message, "name an experiment in the place of the run: both are measured then, side by side")


def renamed(comparison: Comparison, name: Named) -> Comparison:
    """Returns the rows that have a name, under it."""

    def keyed(rows: dict[Case, Value]) -> dict[Case, Value]:
        return {new: value for case, value in rows.items() if (new := name(case))}

    return replace(
        comparison,
        run=renamed_run(comparison.run, name),
        standings=tuple(renamed_standing(s, new) for s in comparison.standings if (new := name(s.case))),
        changes=tuple(replace(c, case=new) for c in comparison.changes if (new := name(c.case))),
        samples=keyed(comparison.samples),
        outputs=keyed(comparison.outputs),
        scores=keyed(comparison.scores),
        heads={output: renamed(head, name) for output, head in comparison.heads.items()},
        early=keyed({case: renamed(part, name) for case, part in comparison.early.items()}),
    )


def renamed_run(run: Run, name: Named) -> Run:
    return replace(
        run,
        cases=tuple(new for case in run.cases if (new := name(case))),
        rounds=tuple(replace(r, case=new) for r in run.rounds if (new := name(r.case))),
        shards=tuple(replace(s, case=new) for s in run.shards if (new := name(s.case))),
        audits=tuple(replace(a, case=new) for a in run.audits if (new := name(a.case))),
    )


def renamed_standing(standing: Standing, case: Case) -> Standing:
    outputs = {name: replace(own, case=case) for name, own in standing.outputs.items()}
    return replace(standing, case=case, outputs=outputs)
