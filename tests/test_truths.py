"""Reports and verdicts of made runs hold against the truth they were drawn from.

The sentences are read as text here, by nothing that made them. What is promised at a confidence may be untrue as often
as that allows; what follows from the run itself may never be.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import binom

from harness.cli.tables.two_run_tables import two_run_tables
from harness.compare.baseline import compare
from harness.compare.two_runs import compare_runs
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.gate.verdict_text import markdown
from harness.records import Comparison, Run
from harness.report.material import Material
from harness.report.out.markdown import render
from tests.made_answers import timed_run
from tests.made_tasks import numbers, regression, run_of, several, three_outputs
from tests.made_truths import FLOAT32, Truth, drawn

RUNS = 60
LIMIT = 0.02
DROP = f'[[rule]]\nmetric = "accuracy_drop"\nmax = "{100 * LIMIT:g}pp"\n'
SLOWER = '[[rule]]\nmetric = "latency_p50"\nmax_increase = "10%"\nagainst = "float32"\n'
F1 = '[[rule]]\nmetric = "f1"\nmax_decrease = "2pp"\nagainst = "keras"\nvariant = "!float32"\n'
POLICIES = (DROP, DROP + SLOWER, 'mode = "any"\n' + DROP, DROP + F1)
NUMBER = r"(−?[\d,.]*\d)"


def truths_of(seed: int) -> list[Truth]:
    """Draw what is true of a run's variants: harmless, at a limit, over it, better; faster, equal, slower."""
    rng = np.random.default_rng(1000 + seed)
    found = [FLOAT32]
    for name in ("int8", "float16", "dynamic_range", "int16x8")[: rng.integers(1, 5)]:
        drop = float(rng.choice([0, 0, LIMIT, LIMIT, 0.04, -0.01]))
        won, time = max(float(rng.choice([0, 0.002, 0.01])), -drop), float(rng.choice([1, 1, 1.02, 1.2, 0.8]))
        size = int(rng.choice([100_000, 400_000, 399_999, 1_200_000]))
        spread = float(rng.choice([0.003, 0.01, 0.04]))
        dead = 2 if rng.random() < 0.1 else None
        found.append(Truth(name, drop, won, time, size, spread, dead, failed=bool(rng.random() < 0.1)))
    return found


@cache
def told(seed: int) -> tuple[list[Truth], Comparison, str, str]:
    """Return the truths of a run, its comparison, and the texts of its report and its gate."""
    rng = np.random.default_rng(2000 + seed)
    truths = truths_of(seed)
    run = drawn(
        truths,
        seed,
        samples=int(rng.choice([60, 300, 1000, 3000])),
        rounds=int(rng.choice([0, 1, 5, 6, 10, 10])),
        accuracy=float(rng.choice([0.9, 0.96, 0.34])),
        shares=((1, 1, 1), (4, 4, 1))[rng.integers(2)],
        emulated=bool(rng.random() < 0.15),
    )
    comparison = compare(run)
    verdict = judge(comparison, parse_policy(POLICIES[seed % len(POLICIES)], "policy.toml"))
    page = render(Material(comparison, verdict=verdict), ()).replace("\\", "")
    return truths, comparison, page, markdown(verdict).replace("\\", "")


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def truth_of(truths: list[Truth], name: str) -> Truth:
    (one,) = (t for t in truths if t.name == name)
    return one


# --- what is claimed at a confidence -------------------------------------------------------------------------------


def claims_of(seed: int) -> Iterator[tuple[str, bool]]:
    """Yield each chance at an untrue sentence, and whether it was taken."""
    truths, _, page, _ = told(seed)
    for truth in truths:
        changed = re.search(rf"{truth.name} (costs|gains) {NUMBER} pp", page)
        if truth.drop == 0 and truth.dead is None and truth is not FLOAT32:
            yield "cost", bool(changed)
        if changed and truth.drop and truth.dead is None:
            yield "direction", (changed[1] == "costs") != (truth.drop > 0)
        quick = re.search(rf"{truth.name} (is|takes) {NUMBER}× (as fast|the time)", page)
        if truth is not FLOAT32 and truth.time == 1:
            yield "speed", bool(quick)
        if quick and truth.time != 1:
            yield "direction", (quick[1] == "is") != (truth.time < 1)
        if quick:
            ends = re.search(rf"{truth.name} {quick[1]} [^(]*\(95 % {NUMBER} to {NUMBER}\)", page)
            assert ends
            true = truth.time if quick[1] == "takes" else 1 / truth.time
            yield "limits", not number(ends[1]) - 0.005 <= true <= number(ends[2]) + 0.005
        if over(truth):
            yield "ship", truth.name in shipped(page)


def over(truth: Truth) -> bool:
    return truth.drop >= LIMIT or truth.dead is not None or truth.failed


def shipped(page: str) -> list[str]:
    (said,) = re.findall(r"\*\*May ship\.\*\* ([^\n.]*)\.", page)
    return [] if said == "No variant" else re.split(r", | and ", said)


PROMISED = {"cost": 0.10, "speed": 0.05, "ship": 0.05, "limits": 0.05, "direction": 0.05}


@cache
def counted() -> dict[str, tuple[int, int]]:
    every = [claim for seed in range(RUNS) for claim in claims_of(seed)]
    chances, untrue = Counter(kind for kind, _ in every), Counter(kind for kind, wrong in every if wrong)
    return {kind: (untrue[kind], chances[kind]) for kind in chances}


@pytest.mark.parametrize("kind", PROMISED)
def test_no_more_sentences_are_untrue_than_their_confidence_allows(kind: str) -> None:
    """More than the most that 999 in 1,000 such sets of runs would have."""
    untrue, chances = counted()[kind]
    assert chances >= 10
    assert untrue <= binom.ppf(0.999, chances, PROMISED[kind]), (untrue, chances)


# --- what follows from the run itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_sentence_contradicts_the_run(seed: int) -> None:
    truths, comparison, page, gate = told(seed)
    assert list(contradictions(truths, comparison, page, gate)) == []


def contradictions(truths: list[Truth], comparison: Comparison, page: str, gate: str) -> Iterator[str]:
    """Name what cannot be true of the run, whatever the truth behind it."""
    run = comparison.run
    yield from in_any_run(page, gate)
    yield from untimed(run.plan.rounds, run.targets[0].emulated, page)
    yield from flips_told(comparison, page)
    yield from sizes_told(truths, page)
    yield from [f"{t.name} failed and ships" for t in truths if t.failed and t.name in shipped(page)]
    if " f1 max" in page:
        yield from re.findall(r"f1 is [^;]*and the limit is 2\.000 %", page)


def in_any_run(page: str, gate: str) -> Iterator[str]:
    """Name what cannot be true of any run, whatever its task."""
    for text in (page, gate):
        yield from re.findall(r"(?<!\d)[−-]0(?:\.0+)?(?![.\d])", text)
        yield from re.findall(r"\b1 (?:candidates|samples|rounds|variants|findings|intervals|rows|groups)\b", text)
        yield from re.findall(r"\b(?:nan|inf|True|False)\b", text)
        yield from re.findall(r"(?<![\d.])0 \[0 – 0\]", text)
    yield from outside_their_intervals(page)
    (by_gate,) = re.findall(r"(?:May ship|Passes every rule): ([^.]*)\.", gate)
    if set(shipped(page)) != set(by_gate.split(", ")) - {"none"}:
        yield "report and gate name other variants"


def untimed(rounds: int, emulated: bool, page: str) -> Iterator[str]:
    """Speed is told of nothing that was not timed, and often enough."""
    if rounds < 6 or emulated:
        yield from re.findall(r"× as fast|× the time|no difference is shown|of speed against|fastest of them", page)


def flips_told(comparison: Comparison, page: str) -> Iterator[str]:
    """Count each variant's changed answers from its outputs, and hold the sentence about flips against that."""
    (keras,) = comparison.run.baseline
    for shard in comparison.run.shards:
        if not shard.outputs:
            continue
        flips = int((np.asarray(shard.outputs[0]).argmax(1) != keras.argmax(1)).sum())
        name = shard.case.variant
        if said := re.search(rf"{name} ([\d,]+) of ([\d,]+) \(", page):
            if (number(said[1]), number(said[2])) != (flips, len(keras)):
                yield f"{said[0]}, not {flips}"
        elif flips and re.search(r"No answer differs from Keras\.", page):
            yield f"{name} has {flips} flips"


def sizes_told(truths: list[Truth], page: str) -> Iterator[str]:
    least = min(t.size for t in truths)
    smallest = {t.name for t in truths if t.size == least}
    if said := re.search(r"([^\n*:]*?) (?:is|are) the smallest files?,", page):
        if set(re.split(r", | and ", said[1].strip())) != smallest:
            yield f"{said[0]} but {smallest}"
        if least < 400_000 and " 100 % of float32" in page:
            yield "a smaller file is said to be 100 %"


def outside_their_intervals(page: str) -> Iterator[str]:
    """A value lies between the ends that are told of it; the first two numbers after it in one bracket."""
    for text in re.findall(rf"{NUMBER} (?:pp )?\((?:90 % interval|interval) {NUMBER} to {NUMBER}\)", page):
        value, low, high = map(number, text)
        if not low <= value <= high:
            yield f"{value} outside {low} to {high}"


def test_intervals_are_counted_as_they_are_made() -> None:
    """Each row of the table with an interval of its drop is one; with one of its speed-up, but float32, another."""
    counted_runs = 0
    for seed in range(RUNS):
        _, _, page, _ = told(seed)
        table = [
            [c.strip() for c in line.strip("|").split("|")] for line in page.splitlines() if "ai-edge-litert |" in line
        ]
        heading = next(line for line in page.splitlines() if "Drop (pp" in line)
        names = [c.strip() for c in heading.strip("|").split("|")]
        at = {name.split(" (")[0]: n for n, name in enumerate(names)}
        rows = [line for line in table if len(line) == len(names)]
        drops = sum("[" in line[at["Drop"]] for line in rows if line[at["Status"]] in ("ok", "invalid"))
        told_drops = re.search(r"(\d+) of accuracy against Keras", page)
        assert (int(told_drops[1]) if told_drops else 0) == drops
        if said := re.search(r"(\d+) of speed against float32", page):
            assert int(said[1]) == sum("[" in line[at["Speed-up"]] for line in rows if line[0] != "float32")
            counted_runs += 1
    assert counted_runs > 5


# --- other kinds of run, and two of them ---------------------------------------------------------------------------

THREE = [FLOAT32, Truth("int8", 0.02), Truth("float16", won=0.002)]


def page_of(run: Run) -> str:
    return render(Material(compare(run)), ()).replace("\\", "")


def beside_itself(run: Run) -> str:
    """What `compare` says of a run and the same again, in one line."""
    console = Console(file=io.StringIO(), width=200)
    console.print(*two_run_tables(compare_runs(run, replace(run, run_id="20260102-000000-0001")), console))
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_compare_speaks_of_sessions_where_rounds_were_compared_and_only_there() -> None:
    timed = beside_itself(drawn(THREE, 3, samples=300))
    assert "as sessions differ" in timed and "each value is that of a typical round" in timed
    for run in (drawn(THREE, 4, samples=300, emulated=True), regression()):
        said = beside_itself(run)
        assert ("comparisons with an interval" in said) == (run.task == "classification")  # of numbers nothing moved
        assert "sessions differ" not in said and "typical round" not in said and "[0 – 0]" not in said


@pytest.mark.parametrize("time", [1.004, 1 / 1.004])
def test_an_interval_that_excludes_1_reads_so(time: float) -> None:
    luck = 1 + 0.001 * np.array((1.5, -0.7, 0.1, -1.0, 0.4, -0.1, 0.7, -1.5, 1.0, -0.4))
    page = page_of(timed_run([100.0] * 10, (100 * time * luck).tolist()))
    said = re.search(rf"int8 (?:is|takes) {NUMBER}× [^(]*\(95 % {NUMBER} to {NUMBER}\)", page)
    assert said and 1 < number(said[2]) <= number(said[1]) <= number(said[3])


def test_a_speed_up_that_is_not_the_ratio_of_the_two_p50_is_explained() -> None:
    float32 = [100, 101, 99, 100, 101, 99, 130, 131, 129, 130, 131, 129, 130, 131]
    page = page_of(timed_run(float32, [80, 80.5, 79.7, 80.2, 79.9, 80.1]))
    said = re.search(rf"differ from the ratio of the two p50: {NUMBER}× and {NUMBER}× with int8", page)
    assert said and number(said[1]) == pytest.approx(1.25, abs=0.011) and number(said[2]) > 1.4
    assert "ratio of the two p50" not in page_of(drawn(THREE, 3, samples=60))


def grouped(seed: int, alike: float) -> Run:
    """400 groups of 5 samples: int8 is at the limit, and the samples of a group are lost together."""
    run = drawn([FLOAT32, Truth("int8", LIMIT, won=0.0)], seed, samples=2_000, rounds=0)
    rng, groups = np.random.default_rng(seed), np.repeat(np.arange(400), 5)
    labels = np.asarray(run.labels)
    kept = np.where(rng.random(2_000) < alike, rng.random(400)[groups], rng.random(2_000)) >= LIMIT
    keras = np.eye(3, dtype=np.float32)[labels]
    own = np.eye(3, dtype=np.float32)[np.where(kept, labels, (labels + 1) % 3)]
    made = run_of("classification", labels, keras, {"float32": keras, "int8": own})
    return replace(made, groups=groups.astype(np.int32))


def several_labels(seed: int) -> Run:
    rng = np.random.default_rng(seed)
    labels = (rng.random((400, 3)) < 0.4).astype(np.int64)
    keras = np.where(labels == 1, 0.8, 0.2).astype(np.float32)
    own = np.where(rng.random(keras.shape) < 0.02, 1 - keras, keras).astype(np.float32)
    return run_of("multilabel", labels, keras, {"float32": keras, "int8": own})


def until_decided(seed: int) -> Run:
    run = drawn([FLOAT32, Truth("int8", 0.0)], seed, samples=600, rounds=0)
    return replace(run, plan=replace(run.plan, until_decided=True))


def failed(seed: int) -> Run:
    return drawn([FLOAT32, Truth("int8", failed=True), Truth("float16")], seed, samples=300)


def several_outputs(seed: int) -> Run:
    labels, keras, moved = three_outputs()
    return several(keras, {"float32": keras, "int8": moved}, labels, scored="digit")


ERROR = '[[rule]]\nmetric = "rmse"\nmax_increase = "5%"\nagainst = "keras"\n'
SUBSET = '[[rule]]\nmetric = "subset_accuracy"\nmax_decrease = "9pp"\nagainst = "keras"\n'
OTHERS = {
    "numbers": (lambda seed: regression(seed=seed), ERROR),
    "labels": (several_labels, SUBSET),
    "groups": (lambda seed: grouped(seed, 0.7), DROP),
    "outputs": (several_outputs, DROP),
    "until decided": (until_decided, DROP),
    "failed": (failed, DROP),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_sentence_of_any_other_kind_of_run_contradicts_itself(kind: str, seed: int) -> None:
    made, rules = OTHERS[kind]
    comparison = compare(made(seed))
    verdict = judge(comparison, parse_policy(rules, "policy.toml"))
    page = render(Material(comparison, verdict=verdict), ()).replace("\\", "")
    assert list(in_any_run(page, markdown(verdict).replace("\\", ""))) == []
    assert "int8" not in shipped(page) or kind != "failed"


def test_groups_at_the_limit_ship_one_time_in_twenty_at_most() -> None:
    policy = parse_policy(DROP, "policy.toml")
    shipped_at_all = sum("int8" in judge(compare(grouped(seed, 0.7)), policy).ships for seed in range(40))
    assert shipped_at_all <= binom.ppf(0.999, 40, 0.05)


def test_outputs_that_equal_keras_are_said_to_be_the_same() -> None:
    _, keras, given = numbers(width=16)
    page = page_of(run_of("distance", None, keras, {**given, "float32": keras}))
    assert "The control float32 gives the same outputs as Keras" in page and "by more than 0 " not in page
    assert "Distance with its two-sided 90 % interval" in page and "Changes from Keras' with" not in page


# --- the checker can fail ------------------------------------------------------------------------------------------


def test_a_planted_fault_is_found() -> None:
    truths, comparison, page, gate = told(0)
    planted = {
        "No answer differs from Keras.": "flips",
        "x costs −0.00 pp": "−0.00",
        "costs 5.00 pp (90 % interval 1.00 to 2.00)": "outside",
        "among 1 candidates": "1 candidates",
    }
    clean = set(contradictions(truths, comparison, page, gate))
    for text, found in planted.items():
        kept = re.sub(r"\w+ [\d,]+ of [\d,]+ \(", "", page)
        assert any(found in one for one in set(contradictions(truths, comparison, kept + text, gate)) - clean), text
    assert list(untimed(5, False, "int8 is 1.20× as fast"))
    assert shipped("**May ship.** int8 and float16.") == ["int8", "float16"]
    bad = replace(truths[1], drop=0.04)
    assert over(bad) and binom.ppf(0.999, 60, PROMISED["ship"]) < 15
