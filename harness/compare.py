"""A run's raw records → Comparison: standings, every metric of every case, per-sample discrepancies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.arrays import gathered, stretches
from harness.device.tensors import from_tensor
from harness.metrics import METRICS, Observation
from harness.metrics.scoring import Scorer
from harness.records import Case, Change, Comparison, Run, Shard, Standing
from harness.runtimes import exists_for
from harness.samples import (
    SUSPECT_AGREEMENT,
    SUSPECT_EXPLAINED,
    Form,
    class_table,
    explained,
    number_table,
    sample_table,
)

CONTROL = "float32"
KEY = ("variant", "target", "runtime")  # thread counts share their answers
PART_BYTES = 1 << 20  # of outputs, dequantised at once in float64


def compare(run: Run) -> Comparison:
    """Everything that can be said of the run's cases against the Keras baseline and the float32 control."""
    scorer = Scorer(run)
    firsts = [case for case in run.cases if case == accuracy_case(run, case)]
    outputs = {case: found for case in firsts if (found := outputs_of(run, case)) is not None}
    scores = {case: scorer.scored(found[scorer.index]) for case, found in outputs.items()}
    samples, tables = joined(run, scorer, scores)
    observations = observe(run, scorer, scores, tables)
    scored = {case: scorer.changes(case, found[scorer.index]) for case, found in outputs.items()}
    return Comparison(
        run=run,
        standings=tuple(standing(run, case, tables.get(accuracy_case(run, case)), scorer) for case in run.cases),
        changes=tuple(
            change for o in observations for change in (*changes_of(o), *shared(o.case, run, scorer, scored))
        ),
        samples=samples,
        class_drops=class_drops(run, tables),
        outputs=outputs,
        baseline=scorer.baseline,
        scores=scores,
    )


def joined(run: Run, scorer: Scorer, scores: dict[Case, np.ndarray]) -> tuple[pd.DataFrame, dict[Case, pd.DataFrame]]:
    """The rows of samples.parquet, and those of each case: the same memory, not a copy."""
    tabled = sample_table if scorer.of_classes else number_table
    variants, targets, runtimes = (tuple(dict.fromkeys(getattr(c, name) for c in run.cases)) for name in KEY)
    form = Form(variants, targets, runtimes, scorer.logits)
    made = [tabled(case, run.labels, scorer.baseline, own, form) for case, own in scores.items()]
    if not made:
        return pd.DataFrame(), {}
    samples = pd.concat(made, ignore_index=True)
    ends = np.cumsum([0, *map(len, made)]).tolist()
    return samples, {case: samples.iloc[ends[n] : ends[n + 1]] for n, case in enumerate(scores)}


def class_drops(run: Run, tables: dict[Case, pd.DataFrame]) -> pd.DataFrame:
    if run.task != "classification" or not tables:
        return pd.DataFrame()
    return pd.concat([class_table(case, table) for case, table in tables.items()], ignore_index=True)


def shared(case: Case, run: Run, scorer: Scorer, scored: dict[Case, list[Change]]) -> list[Change]:
    """What the outputs say, of every thread count: they are those of the lowest."""
    first = accuracy_case(run, case)
    return [replace(change, case=case) for change in scored.get(first) or scorer.changes(case, None)]


def accuracy_case(run: Run, case: Case) -> Case:
    """The case whose outputs stand for this one: the same at the lowest thread count."""
    threads = [c.threads for c in run.cases if replace(c, threads=case.threads) == case]
    return replace(case, threads=min(threads))


def shards_of(run: Run, case: Case) -> list[Shard]:
    wanted = accuracy_case(run, case)
    return sorted((s for s in run.shards if s.case == wanted), key=lambda shard: shard.first)


def outputs_of(run: Run, case: Case) -> tuple[np.ndarray, ...] | None:
    """The case's outputs over the whole test set, dequantised, one array an output of the baseline, in its order; None
    where a stretch is missing.
    """
    shards = shards_of(run, case)
    if sum(len(s.outputs[0]) for s in shards if s.outputs) != run.test_count:
        return None
    order = run.variant(case.variant).yields or range(len(run.baseline))
    shapes = {n: (run.test_count, *shards[0].outputs[n].shape[1:]) for n in order}
    return tuple(gathered(dequantised(shards, n), shapes[n], run.path) for n in order)


def dequantised(shards: Sequence[Shard], n: int) -> Iterator[np.ndarray]:
    """Output n of these stretches as float32, a part of a stretch at a time."""
    for shard in shards:
        tensor = shard.tensors[n]
        for part in stretches(np.asarray(shard.outputs[n]), PART_BYTES):
            yield from_tensor(part, tensor.scale, tensor.zero_point)


def observe(
    run: Run, scorer: Scorer, scores: dict[Case, np.ndarray], tables: dict[Case, pd.DataFrame]
) -> list[Observation]:
    """Controls first are made, so that each variant can stand against its own."""
    made: dict[Case, Observation] = {}
    for case in sorted(run.cases, key=lambda c: c.variant != CONTROL):
        control = made.get(replace(case, variant=CONTROL))
        first = accuracy_case(run, case)
        rounds = tuple(r for r in run.rounds if r.case == case and r.counts)
        answers = (run.labels, scorer.baseline, scores.get(first), tables.get(first))
        made[case] = Observation(case, run.variant(case.variant), *answers, rounds, control, scorer.logits, run.task)
    return [made[case] for case in run.cases]


def changes_of(observation: Observation) -> list[Change]:
    changes = []
    for metric in METRICS.values():
        if observation.task not in metric.tasks:
            continue
        e = metric.estimate(observation)
        row = (metric.name, metric.unit, metric.better, metric.against)
        changes.append(Change(observation.case, *row, e.baseline, e.value, e.low, e.high, e.method))
    return changes


def standing(run: Run, case: Case, samples: pd.DataFrame | None, scorer: Scorer) -> Standing:
    """How the case ended. The first thing that went wrong is the one that is told."""
    environment = run.target(case.target).environment
    version = environment.runtimes.get(case.runtime) if environment else None
    checks = (unbuilt(run, case), unmeasurable(run, case), broken(run, case), incomplete(run, case, samples))
    status, reason = next(filter(None, checks), None) or doubtful(run, case, samples, scorer) or ("ok", "")
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
    if samples is None and run.plan.accuracy:
        return "invalid", "not every sample was measured; resume the run"
    attempted = [r for r in run.rounds if r.case == case]
    good = {r.index for r in attempted if r.counts}
    if len({r.index for r in attempted}) < run.plan.rounds:
        return "invalid", f"{len(good)} of {run.plan.rounds} rounds were measured; resume the run"
    if len(good) < run.plan.rounds:
        reasons = dict.fromkeys(reason for r in attempted if r.index not in good for reason in r.reasons)
        return "invalid", f"{run.plan.rounds - len(good)} of {run.plan.rounds} rounds are invalid: {'; '.join(reasons)}"
    return None


def doubtful(run: Run, case: Case, samples: pd.DataFrame | None, scorer: Scorer) -> Ended:
    """Measured all the same: the gate judges."""
    variant = run.variant(case.variant)
    if variant.status == "suspect":
        return "suspect", variant.reason
    return far_off(samples, scorer) if samples is not None and len(samples) else None


def far_off(samples: pd.DataFrame, scorer: Scorer) -> Ended:
    """So far from the baseline that something is probably wrong: other answers, or numbers that are none."""
    unknown = int((~np.isfinite(samples.max_abs_diff)).sum())
    if unknown:
        return "suspect", f"{unknown} samples have scores that are not finite"
    if "flip" not in samples:
        share = explained(float(np.square(samples.l2.to_numpy(np.float64)).sum()), scorer.variation)
        told = f"explains {max(share, 0):.1%} of the variation in Keras' output over the test set"
        return ("suspect", told) if share < SUSPECT_EXPLAINED else None
    agreement = 1 - samples.flip.mean()
    if agreement >= SUSPECT_AGREEMENT:
        return None
    return "suspect", f"agrees with Keras on {agreement:.1%} of the test set"
