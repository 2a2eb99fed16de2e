"""A run's raw records → Comparison: standings, every metric of every case, per-sample discrepancies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from harness.device.tensors import from_tensor
from harness.metrics import METRICS, Observation
from harness.records import Case, Change, Comparison, Run, Shard, Standing
from harness.runtimes import exists_for
from harness.samples import SUSPECT_AGREEMENT, class_table, sample_table

CONTROL = "float32"


def compare(run: Run) -> Comparison:
    """Everything that can be said of the run's cases against the Keras baseline and the float32 control."""
    firsts = [case for case in run.cases if case == accuracy_case(run, case)]
    outputs = {case: found for case in firsts if (found := outputs_of(run, case)) is not None}
    tables = {case: sample_table(case, run.labels, run.baseline[0], scores[0]) for case, scores in outputs.items()}
    observations = observe(run, outputs, tables)
    return Comparison(
        run=run,
        standings=tuple(standing(run, case, tables.get(accuracy_case(run, case))) for case in run.cases),
        changes=tuple(change for o in observations for change in changes_of(o)),
        samples=joined(list(tables.values())),
        class_drops=joined([class_table(case, table) for case, table in tables.items()]),
        outputs=outputs,
    )


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def accuracy_case(run: Run, case: Case) -> Case:
    """The case whose outputs stand for this one: the same at the lowest thread count."""
    threads = [c.threads for c in run.cases if replace(c, threads=case.threads) == case]
    return replace(case, threads=min(threads))


def shards_of(run: Run, case: Case) -> list[Shard]:
    wanted = accuracy_case(run, case)
    return sorted((s for s in run.shards if s.case == wanted), key=lambda shard: shard.first)


def outputs_of(run: Run, case: Case) -> tuple[np.ndarray, ...] | None:
    """The case's outputs over the whole test set, dequantised, one array an output; None where a stretch is missing."""
    shards = shards_of(run, case)
    if sum(len(s.outputs[0]) for s in shards if s.outputs) != len(run.labels):
        return None
    return tuple(
        np.concatenate([from_tensor(s.outputs[n], s.tensors[n].scale, s.tensors[n].zero_point) for s in shards])
        for n in range(len(run.baseline))
    )


def observe(
    run: Run, outputs: dict[Case, tuple[np.ndarray, ...]], tables: dict[Case, pd.DataFrame]
) -> list[Observation]:
    """Controls first are made, so that each variant can stand against its own."""
    made: dict[Case, Observation] = {}
    for case in sorted(run.cases, key=lambda c: c.variant != CONTROL):
        control = made.get(replace(case, variant=CONTROL))
        first = accuracy_case(run, case)
        scores = outputs[first][0] if first in outputs else None
        rounds = tuple(r for r in run.rounds if r.case == case and r.status in ("valid", "flagged"))
        variant = run.variant(case.variant)
        made[case] = Observation(case, variant, run.labels, run.baseline[0], scores, tables.get(first), rounds, control)
    return [made[case] for case in run.cases]


def changes_of(observation: Observation) -> list[Change]:
    changes = []
    for metric in METRICS.values():
        e = metric.estimate(observation)
        row = (metric.name, metric.unit, metric.better, metric.against)
        changes.append(Change(observation.case, *row, e.baseline, e.value, e.low, e.high, e.method))
    return changes


def standing(run: Run, case: Case, samples: pd.DataFrame | None) -> Standing:
    """How the case ended. The first thing that went wrong is the one that is told."""
    environment = run.target(case.target).environment
    version = environment.runtimes.get(case.runtime) if environment else None
    checks = (unbuilt(run, case), unmeasurable(run, case), broken(run, case), incomplete(run, case, samples))
    status, reason = next(filter(None, checks), None) or doubtful(run, case, samples) or ("ok", "")
    return Standing(case, status, reason, version)


Ended = tuple[str, str] | None  # status and reason, or None where nothing is wrong


def unbuilt(run: Run, case: Case) -> Ended:
    variant = run.variant(case.variant)
    return ("failed", variant.reason) if variant.status == "failed" else None


def unmeasurable(run: Run, case: Case) -> Ended:
    environment = run.target(case.target).environment
    if environment is None:
        return "invalid", f"{case.target} was not reached"
    if environment.runtimes.get(case.runtime):
        return None
    if not exists_for(case.runtime, environment.python, environment.machine):
        return "unsupported", f"there is no {case.runtime} for Python {environment.python}"
    return "failed", f"{case.runtime} is not installed on {case.target}"


def broken(run: Run, case: Case) -> Ended:
    reasons = [s.reason for s in shards_of(run, case) if s.status == "failed"]
    reasons += [r.reasons[0] for r in run.rounds if r.case == case and r.status == "failed"]
    return ("failed", reasons[0]) if reasons else None


def incomplete(run: Run, case: Case, samples: pd.DataFrame | None) -> Ended:
    if samples is None:
        return "invalid", "not every sample was measured; resume the run"
    attempted = [r for r in run.rounds if r.case == case]
    good = {r.index for r in attempted if r.status in ("valid", "flagged")}
    if len({r.index for r in attempted}) < run.plan.rounds:
        return "invalid", f"{len(good)} of {run.plan.rounds} rounds were measured; resume the run"
    if len(good) < run.plan.rounds:
        reasons = dict.fromkeys(reason for r in attempted if r.index not in good for reason in r.reasons)
        return "invalid", f"{run.plan.rounds - len(good)} of {run.plan.rounds} rounds are invalid: {'; '.join(reasons)}"
    return None


def doubtful(run: Run, case: Case, samples: pd.DataFrame | None) -> Ended:
    """Measured all the same: the gate judges."""
    variant = run.variant(case.variant)
    if variant.status == "suspect":
        return "suspect", variant.reason
    if samples is None:
        return None
    agreement = 1 - samples.flip.mean()
    if (samples.prediction < 0).any():
        return "suspect", f"{(samples.prediction < 0).sum()} samples have scores that are not finite"
    return (
        ("suspect", f"agrees with Keras on {agreement:.1%} of the test set") if agreement < SUSPECT_AGREEMENT else None
    )
