"""Runs whose answers to the test set, rounds and sizes are known in advance: what a gate is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.compare.baseline import compare
from harness.gate.decide import judge, metrics_of
from harness.gate.policy.policy_file import parse_policy
from harness.records import (
    Case,
    Comparison,
    Environment,
    Finding,
    Round,
    Run,
    Target,
    TargetRecord,
    Variant,
    Verdict,
)
from tests import made_runs
from tests.made_runs import case, shard, timed

RIGHT, WRONG = 0, 1
BOARD = Environment(
    board="a board", revision="1", serial_sha256="5" * 64, userland_bits=64, page_bytes=4096, python="3.11.9",
    affinity=(0,), frequency_min_hz=600, frequency_max_hz=1500, runtimes=made_runs.ENVIRONMENT.runtimes,
)  # fmt: skip
HASHES = {"test": "7" * 64}
RULE = "[[rule]]\n"
DROP = RULE + 'metric = "accuracy_drop"\nmax = "0.5pp"\n'


def scored(answers: np.ndarray) -> np.ndarray:
    """Top-1 answers → (samples, 3) scores."""
    return np.where(np.arange(3) == answers[:, None], np.float32(0.8), np.float32(0.1))


def twice(b: int, c: int, n: int, both_wrong: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two models to n samples of label 0: the first b lost, the next c won, the next wrong twice."""
    before, after = np.full(n, RIGHT), np.full(n, RIGHT)
    after[:b] = WRONG
    before[b : b + c] = WRONG
    before[b + c : b + c + both_wrong] = after[b + c : b + c + both_wrong] = WRONG
    return before, after


def rounds_of(of: Case, medians_us: Sequence[float]) -> list[Round]:
    """One round a median, all of its 40 invokes alike."""
    return [timed(of, n, [int(1000 * us)] * 40) for n, us in enumerate(medians_us)]


def made(
    answers: dict[str, np.ndarray],
    keras: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    latencies_us: dict[str, Sequence[float]] | None = None,
    sizes: dict[str, int] | None = None,
    environment: Environment | None = BOARD,
    emulated: bool = False,
    hashes: dict[str, str] = HASHES,
    run_id: str = "20260101-000000-0000",
    **fields: Any,
) -> Run:
    """One row a variant, on host with ai-edge-litert at one thread."""
    cases = [case(name) for name in answers]
    rounds = [r for name, us in (latencies_us or {}).items() for r in rounds_of(case(name), us)]
    planned = max((len(us) for us in (latencies_us or {}).values()), default=0)
    variants = [Variant(name, name, None, "0" * 64, size) for name, size in (sizes or {}).items()]
    run = made_runs.run(
        cases,
        labels=np.full(len(keras), RIGHT) if labels is None else labels,
        baseline=scored(keras),
        shards=[shard(c, scored(answers[c.variant])) for c in cases],
        rounds=[replace(r, before=replace(r.before, governor="performance")) for r in rounds],
        planned=planned,
        variants=variants,
        environment=environment,
    )
    targets = (TargetRecord(Target("host", emulated=emulated), environment),)
    return replace(run, targets=targets, hashes=hashes, run_id=run_id, **fields)


def dropped(b: int, c: int, n: int, both_wrong: int = 0, **fields: Any) -> Run:
    """float32 as good as Keras, and int8 with these counts."""
    keras, int8 = twice(b, c, n, both_wrong)
    return made({"float32": keras, "int8": int8}, keras, **fields)


def timed_run(float32_us: Sequence[float], int8_us: Sequence[float], **fields: Any) -> Run:
    return dropped(0, 0, 20, latencies_us={"float32": float32_us, "int8": int8_us}, **fields)


def verdict_of(
    run: Run | Comparison,
    policy: str,
    reference: Run | None = None,
    sessions: Sequence[Run] = (),
    again: Run | None = None,
) -> Verdict:
    rules = parse_policy(policy, "policy.toml")
    compared = partial(compare, metrics=metrics_of(rules))
    comparison = run if isinstance(run, Comparison) else compared(run)
    past, beside = (compared(each) if each else None for each in (reference, again))
    return judge(comparison, rules, past, [*map(compared, sessions)], beside)


def found(
    run: Run | Comparison,
    rule: str,
    reference: Run | None = None,
    variant: str = "int8",
    sessions: Sequence[Run] = (),
    again: Run | None = None,
) -> Finding:
    """What one rule says of one variant."""
    findings = verdict_of(run, RULE + rule, reference, sessions, again).findings
    return next(f for f in findings if f.case is None or f.case.variant == variant)
