"""gate/least.py and every other place that tells a least number: a test set of so many, of which nothing is lost,
passes, and one of fewer does not. Nearly all limits are under 1 pp, where 299 are too few.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.experiment.plans import PLANS
from harness.gate.decide import judge, metrics_of
from harness.gate.foresight import foresee
from harness.gate.hopeless import hopeless
from harness.gate.known import Known
from harness.gate.policy.policy_file import parse_policy
from harness.records import Finding, Run, Scoring, Transcription
from tests.made_tasks import run_of

Number = Callable[[str, "Made", int], int | None]
AGAINST = '\nagainst = "keras"'
FEW, SOME = 120, 4  # units that are too few; samples of a group or an identity


@dataclass(frozen=True)
class Made:
    """A test set of n units, samples, groups or identities, on which int8 answers as Keras does, and that is right."""

    task: str
    labels: Callable[[int], np.ndarray]
    outputs: Callable[[np.ndarray], np.ndarray]
    groups: bool = False
    scoring: Scoring = field(default_factory=Scoring)

    def of(self, n: int) -> Run:
        labels = self.labels(n * SOME if self.groups else n)
        keras = self.outputs(labels)
        run = run_of(self.task, labels, keras, {"float32": keras, "int8": keras}, self.scoring)  # type: ignore[arg-type]
        return replace(run, groups=self.groups_of(n)) if self.groups else run

    def groups_of(self, n: int) -> np.ndarray:
        return np.repeat(np.arange(n, dtype=np.int32), SOME)

    def known(self, n: int) -> Known:
        run = self.of(n)
        return Known(len(run.baseline[0]), run.labels, run.groups, tasks={"": self.task})  # type: ignore[dict-item]


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[labels]


def columns(labels: np.ndarray) -> np.ndarray:
    return labels.astype(np.float32).reshape(len(labels), -1)


def by_identity(labels: np.ndarray) -> np.ndarray:
    """Vectors on a circle, those of one identity side by side and each pair as alike as no other."""
    near = np.random.default_rng(1).normal(0, 1e-5, len(labels))
    angle = labels * 2.399963 + near
    return np.stack(
        [np.cos(angle), np.sin(angle), *np.random.default_rng(2).normal(size=(30, len(labels)))[:, labels]], 1
    )


def spoken(labels: np.ndarray) -> np.ndarray:
    """A path of steps for each text: its one letter, and blanks."""
    path = np.full((len(labels), 3), 2)
    path[:, 1] = labels[:, 0] - ord("a")
    return np.eye(3, dtype=np.float32)[path]


CLASSES = Made("classification", lambda n: np.arange(n) % 4, one_hot)
IN_GROUPS = replace(CLASSES, groups=True)
RARE = Made("classification", lambda n: np.r_[np.zeros(n, int), np.arange(30_000) % 3 + 1], one_hot)
NUMBERS = Made("regression", lambda n: np.linspace(0, 1, n), columns)
SEVERAL = Made("multilabel", lambda n: (np.arange(n)[:, None] + np.arange(4)) // 2 % 2, columns)
IDENTITIES = Made("embedding", lambda n: np.repeat(np.arange(n), SOME), by_identity, scoring=Scoring("recall_at_1"))
TEXTS = Made(
    "transcription",
    lambda n: np.full((n, 1), ord("a")),
    spoken,
    scoring=Scoring("wer", transcription=Transcription(("a", "b"))),
)


def by_power(rule: str, made: Made, n: int) -> int | None:
    (found,) = foresee(parse_policy(f"[[rule]]\n{rule}\n", "p"), made.known(n), [0.0])
    told = re.search(r"([\d,]+) groups are the fewest", found.why) or re.search(r"takes ([\d,]+) samples", found.why)
    return number(told) if told else found.fewest


def before_a_run(rule: str, made: Made, n: int) -> int | None:
    said = "".join(hopeless(parse_policy(f"[[rule]]\n{rule}\n", "p"), made.known(n), PLANS["standard"]))
    return number(re.search(r"it needs ([\d,]+)|([\d,]+) are needed|takes ([\d,]+) samples", said))


def by_verdict(rule: str, made: Made, n: int) -> int | None:
    reason = found(rule, made.of(n)).reason
    told = r"takes ([\d,]+)|([\d,]+) are the fewest|([\d,]+) are needed|about ([\d,]+) groups|([\d,]+) samples that are"
    return number(re.search(told, reason))


def number(told: re.Match[str] | None) -> int | None:
    return int(next(filter(None, told.groups())).replace(",", "")) if told else None


def found(rule: str, run: Run) -> Finding:
    policy = parse_policy(f'[[rule]]\nvariant = "int8"\n{rule}\n', "p", run.scoring)
    (finding,) = judge(compare(run, metrics_of(policy)), policy).findings
    return finding


def fall(metric: str, limit: str) -> str:
    return f'metric = "{metric}"\nmax_decrease = "{limit}"{AGAINST}'


def rise(metric: str, limit: float) -> str:
    return f'metric = "{metric}"\nmax_increase = {limit}{AGAINST}'


DROP, OF_CLASS = 'metric = "accuracy_drop"\nmax = "{}"', 'metric = "class_accuracy_drop"\nmax = "{}"'
FLIPS, AGREE = 'metric = "flip_rate"\nmax = "{}"', 'metric = "agreement"\nmin = "{}"'
EVERY = (by_power, before_a_run, by_verdict)
CASES: list[
    tuple[str, Made, tuple[Number, ...], int | None]
] = [  # rule, test set, who tells it, the number if it is known
    (DROP.format("0.5pp"), CLASSES, EVERY, 598),
    (DROP.format("0.2pp"), CLASSES, EVERY, 1_497),
    (DROP.format("0.5pp"), IN_GROUPS, (before_a_run, by_verdict), None),
    (FLIPS.format("0.5%"), CLASSES, (by_power, before_a_run), 598),
    (FLIPS.format("0.5%"), IN_GROUPS, (before_a_run, by_verdict), None),
    (AGREE.format("99.5%"), CLASSES, (by_power, before_a_run), 598),
    (AGREE.format("99.5%"), IN_GROUPS, (before_a_run,), None),
    (fall("f1", "0.2pp"), RARE, (before_a_run, by_verdict), None),
    (fall("balanced_accuracy", "0.2pp"), RARE, (before_a_run, by_verdict), None),
    (fall("auc", "0.2pp"), RARE, (before_a_run, by_verdict), None),
    (fall("balanced_accuracy", "0.5pp"), IN_GROUPS, EVERY, 598),
    (fall("f1", "0.5pp"), IN_GROUPS, EVERY, None),
    (fall("auc", "0.5pp"), IN_GROUPS, EVERY, 598),
    (fall("f1", "1.5pp"), IN_GROUPS, EVERY, 299),
    ('metric = "balanced_accuracy"\nmin = 0.995', IN_GROUPS, EVERY, 598),
    (fall("label_f1", "0.5pp"), SEVERAL, (by_power, before_a_run), None),
    (fall("label_f1", "0.5pp"), replace(SEVERAL, groups=True), EVERY, None),
    (fall("label_accuracy", "0.5pp"), replace(SEVERAL, groups=True), EVERY, 598),
    (rise("mae", 0.001), NUMBERS, EVERY, 299),
    (rise("mae", 0.001), replace(NUMBERS, groups=True), EVERY, 299),
    (fall("recall_at_1", "0.5pp"), IDENTITIES, (before_a_run, by_verdict), 598),
    ('metric = "recall_at_1"\nmin = 0.995', IDENTITIES, (before_a_run, by_verdict), 598),
    (rise("eer", 0.005), IDENTITIES, (before_a_run, by_verdict), 1_197),
    (rise("wer", 0.005), TEXTS, (by_power, before_a_run), 598),
    (rise("wer", 0.005), replace(TEXTS, groups=True), EVERY, 598),
]


@pytest.mark.parametrize(
    ("rule", "made", "tellers", "known"), CASES, ids=[f"{c[0].split(chr(34))[1]}-{n}" for n, c in enumerate(CASES)]
)
def test_the_least_number_that_is_told_passes_and_fewer_do_not(
    rule: str, made: Made, tellers: tuple[Number, ...], known: int | None
) -> None:
    few = 20 if made is RARE else FEW
    told = {teller.__name__: teller(rule, made, few) for teller in tellers}
    assert None not in told.values() and len(set(told.values())) == 1, told
    fewest = next(iter(told.values()))
    assert fewest and known in (None, fewest), told
    assert found(rule, made.of(fewest)).outcome == "pass", found(rule, made.of(fewest)).reason
    assert found(rule, made.of(int(0.98 * fewest) - 1 if known is None else fewest - 1)).outcome == "inconclusive"
