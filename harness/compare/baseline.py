"""A run's raw records → Comparison: standings, every metric of every case, per-sample discrepancies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.compare.early import early_change, early_rows, early_standing
from harness.compare.suspicion import Doubts, doubts_of, read_by
from harness.device.engines import is_simulated
from harness.device.tensors import from_tensor
from harness.measure.runtimes import absence
from harness.metrics import METRICS, Observation
from harness.metrics.fitting import scores_of
from harness.metrics.heads import as_scored
from harness.metrics.of_sample import STATISTICS
from harness.metrics.registry import Answers, is_wanted, of_answers_alone, of_any_output
from harness.metrics.scoring import Scorer, with_limits
from harness.metrics.two_stage import rounds_of_target
from harness.records import CONTROL, Absent, Case, Change, Comparison, Run, Shard, Standing
from harness.records.terms import RowStatus
from harness.support.arrays import gather, stretches

STRETCH_BYTES = 1 << 20  # of outputs, dequantised at once in float64


def compare(run: Run, metrics: Collection[str] | None = None) -> Comparison:
    """Derives everything that can be said of the run's cases against the baseline and the float32 control.

    metrics: the names of those that are wanted; None for all.
    """
    scorer = Scorer(run, metrics)
    beside = scorers_of_heads(run, scorer)
    firsts = [case for case in run.cases if case == run.accuracy_case(case)]
    outputs = {case: arrays for case in firsts if (arrays := outputs_of(run, case)) is not None}
    found = of_scored(scorer, outputs)
    heads = {
        name: of_scored(own, outputs, bool(own.metrics) or own.run.labels is not None) for name, own in beside.items()
    }
    answered = [(scorer, found), *((beside[name], heads[name]) for name in run.heads)]
    early = early_rows(run, compare)
    standings = tuple(
        early_standing(early[case], case, run) if case in early else standing(run, case, outputs, answered)
        for case in run.cases
    )
    changes = tuple(early_change(c, early[c.case]) if c.case in early else c for c in found.changes)
    heads = {
        name: replace(head, standings=tuple(s.outputs.get(name, s) for s in standings)) for name, head in heads.items()
    }
    return replace(found, standings=standings, changes=changes, heads=heads, early=early)


Outputs = dict[Case, tuple[np.ndarray, ...]]


def of_scored(scorer: Scorer, outputs: Outputs, with_samples: bool = True) -> Comparison:
    """Returns what the scored output says. Standings are made of all outputs, and are not in it yet."""
    run = scorer.run
    scores = {case: scorer.joined(arrays) for case, arrays in outputs.items()}
    samples = {case: scorer.rows(output) for case, output in scores.items()} if with_samples else {}
    observations = observe(run, scorer, scores, samples)
    scored = {case: scorer.changes(case, arrays) for case, arrays in outputs.items()}
    changes = tuple(
        change
        for o in observations
        for change in (*changes_of(o, scorer.metrics), *shared_changes(o.case, run, scorer, scored))
    )
    return Comparison(run, (), changes, samples, outputs, scorer.baseline, scores)


def scorers_of_heads(run: Run, scorer: Scorer) -> dict[str, Scorer]:
    """Returns what scores each output beside the scored one, by its name: with its labels, or where it has none by the
    metrics that need none. What a decoder reads is no output by itself: its rows may be others, in another order.
    """
    labelled = {name: scorer_of(run, run.outputs.index(name), scorer) for name in run.heads}
    read = {scorer.index, *(place for each in (scorer, *labelled.values()) for place in read_by(each))}
    others = [(n, name) for n, name in enumerate(run.outputs) if n not in read or name in labelled]
    return {name: labelled.get(name) or scorer_of(run, n, scorer) for n, name in others}


def scorer_of(run: Run, n: int, scorer: Scorer) -> Scorer:
    head = as_scored(run, n)
    return Scorer(head, wanted_of(head, scorer.metrics))


def wanted_of(head: Run, metrics: Collection[str] | None) -> Collection[str]:
    if head.labels is None:
        return of_any_output(metrics)
    return of_answers_alone(metrics, (metric.name for metric in scores_of(head.scoring, head.task)))


def shared_changes(case: Case, run: Run, scorer: Scorer, scored: dict[Case, list[Change]]) -> list[Change]:
    """Returns what the outputs say, for every thread count: they are measured at the lowest."""
    first = run.accuracy_case(case)
    return [replace(change, case=case) for change in scored.get(first) or scorer.changes(case, ())]


def shards_of(run: Run, case: Case) -> list[Shard]:
    measured = run.accuracy_case(case)
    return sorted((s for s in run.shards if s.case == measured), key=lambda shard: shard.first)


def outputs_of(run: Run, case: Case) -> tuple[np.ndarray, ...] | None:
    """Returns the case's outputs over the whole test set, dequantised, one array an output of the baseline, in its
    order; None where a shard is missing.
    """
    shards = shards_of(run, case)
    order = run.variant(case.variant).yields or range(len(run.baseline))
    if sum(len(s.outputs[0]) for s in shards if len(s.outputs) > max(order)) != run.test_count:
        return None
    shapes = {n: (run.test_count, *shards[0].outputs[n].shape[1:]) for n in order}
    return tuple(gather(dequantise(shards, n), shapes[n], run.path) for n in order)


def dequantise(shards: Sequence[Shard], n: int) -> Iterator[np.ndarray]:
    """Yields output n of these shards as float32, a stretch of rows at a time."""
    for shard in shards:
        tensor = shard.tensors[n]
        for stretch in stretches(np.asarray(shard.outputs[n]), STRETCH_BYTES):
            yield from_tensor(stretch, tensor.scale, tensor.zero_point)


def observe(
    run: Run, scorer: Scorer, scores: dict[Case, np.ndarray], samples: dict[Case, np.ndarray]
) -> list[Observation]:
    """Collects what is known of each case. Controls come first, so that each variant can stand against its own."""
    observations: dict[Case, Observation] = {}
    for case in sorted(run.cases, key=lambda c: c.variant != CONTROL):
        control = observations.get(replace(case, variant=CONTROL))
        first = run.accuracy_case(case)
        rounds = tuple(run.usable_rounds(case))
        answers = (run.labels, scorer.baseline, scores.get(first), samples.get(first))
        observations[case] = Observation(
            case,
            run.variant(case.variant),
            *answers,
            rounds,
            control,
            scorer.logits,
            run.task,
            run.target(case.target).emulated,
            run.groups,
            run.plan.until_decided,
            run.plan.first_stage,
            tuple(run.first_attempts(case)),
            next((s.arena_bytes for s in shards_of(run, case) if s.arena_bytes is not None), None),
            next((s.ran for s in shards_of(run, case) if s.ran is not None), None),
        )
    return [observations[case] for case in run.cases]


def changes_of(observation: Observation, metrics: Collection[str] | None) -> list[Change]:
    changes = []
    for metric in METRICS.values():
        if not metric.estimate or observation.task not in metric.tasks or not is_wanted(metric.name, metrics):
            continue
        e = metric.estimate(observation)
        row = (metric.name, metric.unit, metric.better, metric.against)
        change = Change(observation.case, *row, e.baseline, e.value, e.low, e.high, e.method)
        changes.append(of_a_sample(change, observation) if metric.name in STATISTICS else change)
    return changes


def of_a_sample(change: Change, o: Observation) -> Change:
    """Returns ECE, JS or SQNR with its limits, where it has a value and its samples are independent and so many as was
    asked for beforehand.
    """
    if change.value is None or o.scores is None or o.groups is not None or o.until_decided:
        return change
    try:
        statistic = STATISTICS[change.metric](Answers(o.labels, o.scores, o.baseline))
    except Absent:  # the value says why
        return change
    return with_limits(change, statistic, change.method)


def standing(run: Run, case: Case, outputs: Outputs, answered: Sequence[tuple[Scorer, Comparison]]) -> Standing:
    """Returns how the case ended. Of several things that went wrong, the first is named. answered: what each labelled
    output says, the scored one first.
    """
    first = run.accuracy_case(case)
    samples = [(scorer, found.samples.get(first)) for scorer, found in answered]
    environment = run.target(case.target).environment
    version = environment.version_of(case.runtime) if environment else None
    checks = (unbuilt(run, case), unmeasurable(run, case), broken(run, case), incomplete(run, case, samples[0][1]))
    if ended := next(filter(None, checks), None):
        return Standing(case, *ended, version)
    return standing_of(doubts_of(run, case, outputs.get(first), samples), case, version)


def standing_of(doubts: Doubts, case: Case, version: str | None) -> Standing:
    each = {name: standing_of(own, case, version) for name, own in doubts.outputs.items()}
    status: RowStatus = "suspect" if doubts.suspect else "ok"
    return Standing(case, status, doubts.reason, version, doubts.bars, doubts.chance, each)


Ended = tuple[RowStatus, str] | None  # status and reason, or None where nothing is wrong


def unbuilt(run: Run, case: Case) -> Ended:
    variant = run.variant(case.variant)
    return (variant.status, variant.reason) if variant.status in ("failed", "unsupported") else None


def unmeasurable(run: Run, case: Case) -> Ended:
    environment = run.target(case.target).environment
    if environment is None:
        if run.finished:
            return "invalid", f"{case.target} was not reached"
        return "invalid", f"nothing was measured on {case.target}; resume the run"
    return None if environment.version_of(case.runtime) else absence(case, environment)


def broken(run: Run, case: Case) -> Ended:
    if refused := next((s.reason for s in shards_of(run, case) if s.status == "unsupported"), ""):
        return "unsupported", refused
    reasons = [s.reason for s in shards_of(run, case) if s.status == "failed"]
    reasons += [a.reason for a in run.audits if a.case == run.accuracy_case(case) and a.status == "failed"]
    reasons += [r.reasons[0] for r in run.rounds if r.case == case and r.status == "failed"]
    return ("failed", reasons[0]) if reasons else None


def incomplete(run: Run, case: Case, samples: np.ndarray | None) -> Ended:
    if samples is None and run.plan.accuracy:
        return "invalid", "not every sample was measured; resume the run"
    attempted = [r for r in run.rounds if r.case == case]
    good = {r.index for r in attempted if r.counts}
    planned = 0 if is_simulated(case.runtime) else rounds_of_target(run, case.target)
    if len({r.index for r in attempted}) < planned:
        return "invalid", f"{len(good)} of {planned} rounds were measured; resume the run"
    if len(good) < planned:
        reasons = dict.fromkeys(reason for r in attempted if r.index not in good for reason in r.reasons)
        return "invalid", f"{planned - len(good)} of {planned} rounds are invalid: {'; '.join(reasons)}"
    return None
