"""A made-up Comparison that looks like a real one: digits, six variants, two runtimes. For tests of what reads one."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.datasets import load_digits

from harness.records import (
    Case,
    Change,
    Comparison,
    Environment,
    Plan,
    Provenance,
    Round,
    Run,
    Standing,
    Target,
    TargetRecord,
    Timings,
    Variant,
)
from tests.synthetic_device import lived

RUNTIMES = {"ai-edge-litert": "2.3.0", "tflite-runtime": "2.14.0"}
VARIANTS = {  # name → (size in bytes, noise on the logits, output steps, p50 in µs)
    "float32": (409_452, 1e-6, 0, 9.5),
    "float16": (206_880, 2e-3, 0, 9.7),
    "dynamic_range": (105_320, 0.12, 0, 5.2),
    "int8": (104_888, 0.9, 256, 3.4),
    "int8_float_io": (105_480, 0.5, 256, 4.1),
    "int16x8": (106_312, 0.01, 0, 21.0),
}
FAILED = ("int16x8", "tflite-runtime")
UNSUPPORTED = ("dynamic_range", "tflite-runtime")
SUSPECT = ("int8_float_io", "tflite-runtime")
SMALLEST = {6: 1.435, 8: 1.156, 10: 0.996}  # rounds → smallest detectable effect in standard deviations


@cache
def pictures(samples: int = 500) -> np.ndarray:
    """scikit-learn's digits at 28 × 28: uint8, (samples, 28, 28)."""
    small = load_digits().images[:samples]
    large = np.kron(small, np.ones((3, 3))) * 255 / 16
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)


def synthetic(
    *,
    samples: int = 500,
    rounds: int = 10,
    profile: str = "standard",
    targets: tuple[str, ...] = ("host",),
    emulated: tuple[str, ...] = (),
    threads: tuple[int, ...] = (1,),
    class_names: tuple[str, ...] = tuple("0123456789"),
    finished: bool = True,
    hot: tuple[str, ...] = (),
) -> Comparison:
    """A comparison as compare makes it, with one failed, one unsupported and one suspect row a target.

    hot: targets with sensors that get too warm on the way: some of their rounds are flagged, invalid and repeated.
    """
    rng = np.random.default_rng(7)
    labels = load_digits().target[:samples].astype(np.int64)
    logits = rng.normal(0, 1.0, (samples, 10))
    logits[np.arange(samples), labels] += rng.gamma(6, 1.2, samples)
    baseline = _softmax(logits)
    cases = tuple(Case(v, t, r, n) for t in targets for r in RUNTIMES for v in VARIANTS for n in threads)
    standings = tuple(_standing(c) for c in cases)
    measured = [s.case for s in standings if s.status in ("ok", "suspect")]
    outputs = {c: (_scores(rng, logits, c, labels),) for c in measured if c.threads == threads[0]}
    plain = tuple(_round(rng, c, i, targets.index(c.target)) for i in range(rounds) for c in measured)
    measured_rounds = lived(plain, hot)
    run = Run(
        run_id="20260101-120000-5f3a",
        experiment="synthetic",
        task="classification",
        class_names=class_names,
        plan=Plan(profile, rounds, 50, 0.5),
        variants=tuple(Variant(n, n, Path(f"{n}.tflite"), "0" * 64, v[0]) for n, v in VARIANTS.items()),
        targets=tuple(_record(t, t in emulated) for t in targets),
        cases=cases,
        labels=labels,
        inputs=(pictures(samples),),
        baseline=(baseline.astype(np.float32),),
        rounds=measured_rounds,
        shards=(),
        path=Path("results/synthetic/20260101-120000-5f3a"),
        finished=finished,
        provenance=Provenance("2026-01-01T12:00:00+00:00", "0.1.0"),
    )
    samples = {c: _samples(labels, run.baseline[0], o[0]) for c, o in outputs.items()}
    changes = [x for c in measured for x in _accuracy_changes(c, samples[run.accuracy_case(c)])]
    changes += [x for c in measured for x in _latency_changes(rng, c, measured_rounds)]
    scores = {c: o[0] for c, o in outputs.items()}
    return Comparison(run, standings, tuple(changes), samples, outputs, run.baseline[0], scores)


def tango(b: int, c: int, n: int, level: float = 0.90) -> tuple[float, float]:
    """Tango's score limits of (b − c) / n (measurement.md, section 3)."""
    limit = stats.norm.ppf(1 - (1 - level) / 2)

    def z(delta: float) -> float:
        a, bb, cc = 2 * n, -b - c + (2 * n - b + c) * delta, -c * delta * (1 - delta)
        q = (math.sqrt(max(0.0, bb * bb - 4 * a * cc)) - bb) / (2 * a)
        return (b - c - n * delta) / math.sqrt(max(1e-300, n * (2 * q + delta * (1 - delta))))

    def root(goal: float, low: float, high: float) -> float:
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if z(middle) > goal else (low, middle)
        return low

    point = (b - c) / n
    return root(limit, -1 + 1e-9, point + 1e-9), root(-limit, point - 1e-9, 1 - 1e-9)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _standing(case: Case) -> Standing:
    key, version = (case.variant, case.runtime), RUNTIMES[case.runtime]
    if key == FAILED:
        return Standing(
            case, "failed", "allocate_tensors: FULLY_CONNECTED got int16 activations it has no kernel for", version
        )
    if key == UNSUPPORTED:
        return Standing(case, "unsupported", "tflite-runtime has no build for this Python", None)
    if key == SUSPECT:
        return Standing(case, "suspect", "agrees with Keras on 12 % of the calibration samples", version)
    return Standing(case, "ok", "", version)


def _record(name: str, emulated: bool) -> TargetRecord:
    board = {
        "host": None,
        "raspberry-pi-4": "Raspberry Pi 4 Model B Rev 1.5",
        "raspberry-pi-5": "Raspberry Pi 5 Model B Rev 1.0",
    }
    environment = Environment(
        board=board.get(name),
        cpu="Example CPU @ 2.0 GHz" if name == "host" else "Cortex-A72",
        machine="x86_64" if name == "host" else "aarch64",
        cores=4,
        memory_bytes=8_000_000_000,
        os="Example Linux 12",
        kernel="6.1.0",
        python="3.11.9",
        numpy="1.26.4",
        emulation="QEMU_CPU is set" if emulated else None,
        runtimes=dict(RUNTIMES),
    )
    return TargetRecord(Target(name, emulated=emulated), environment, {"blobs": 1_234_567, "jobs": 9_876})


def _scores(rng: np.random.Generator, logits: np.ndarray, case: Case, labels: np.ndarray) -> np.ndarray:
    _, noise, steps, _ = VARIANTS[case.variant]
    stream = np.random.default_rng(len(case.variant))  # the same file says nearly the same with every runtime
    scores = _softmax(logits + stream.normal(0, noise, logits.shape) + rng.normal(0, noise / 20, logits.shape))
    if (case.variant, case.runtime) == SUSPECT:
        scores = np.roll(scores, 1 + labels[0] % 3, axis=1)
    return (np.round(scores * steps) / steps if steps else scores).astype(np.float32)


def _round(rng: np.random.Generator, case: Case, index: int, slow: int) -> Round:
    middle = (
        VARIANTS[case.variant][3]
        * (1 + 6 * slow)
        * (1.25 if case.runtime == "tflite-runtime" else 1)
        / case.threads**0.3
    )
    ns = (
        middle * 1e3 * np.exp(rng.normal(0, 0.012) + np.abs(rng.normal(0, 0.04, 200)) + 0.5 * (rng.random(200) > 0.985))
    )
    single = {p: Timings.of([int(middle * f * rng.uniform(0.9, 1.2))]) for p, f in (("load", 9e3), ("first", 4e3))}
    return Round(case, index, timings={"timed": Timings.of(ns), **single})


def _samples(labels: np.ndarray, base: np.ndarray, scores: np.ndarray) -> np.ndarray:
    first, second = base.argmax(1), scores.argmax(1)
    right, wrong = first == labels, second != labels
    top, other = np.sort(base, axis=1)[:, ::-1], np.sort(scores, axis=1)[:, ::-1]
    columns = {
        "label": labels,
        "baseline_prediction": first,
        "prediction": second,
        "baseline_correct": right,
        "correct": ~wrong,
        "flip": first != second,
        "flip_kind": np.select([first == second, right, ~wrong], [0, 1, 2], 3).astype(np.uint8),
        "max_abs_diff": np.abs(base - scores).max(1),
        "l2": np.linalg.norm(base - scores, axis=1),
        "cosine": (base * scores).sum(1) / (np.linalg.norm(base, axis=1) * np.linalg.norm(scores, axis=1)),
        "js_divergence": _js(base, scores),
        "baseline_margin": top[:, 0] - top[:, 1],
        "margin": other[:, 0] - other[:, 1],
        "tie": other[:, 0] == other[:, 1],
    }
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def _js(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    m = (p + q) / 2

    def entropy(x: np.ndarray) -> np.ndarray:
        return -np.where(x > 0, x * np.log2(np.where(x > 0, x, 1)), 0).sum(1)

    return np.maximum(0, entropy(m) - (entropy(p) + entropy(q)) / 2)


def _drop(table: np.ndarray) -> tuple[float, float, float]:
    before, after = table["baseline_correct"], table["correct"]
    b, c = int((before & ~after).sum()), int((~before & after).sum())
    low, high = tango(b, c, len(table))
    return 100 * (b - c) / len(table), 100 * low, 100 * high


def _accuracy_changes(case: Case, table: np.ndarray) -> list[Change]:
    base, flips = float(table["baseline_correct"].mean()), float(table["flip"].sum())
    paired = "two-sided 90 % Tango limits over paired samples"
    return [
        Change(case, "accuracy", "fraction", "higher", "keras", base, float(table["correct"].mean())),
        Change(case, "accuracy_drop", "pp", "lower", "keras", None, *_drop(table), paired),
        Change(case, "flips", "count", "lower", "keras", None, flips),
        Change(case, "flip_rate", "fraction", "lower", "keras", None, flips / len(table)),
        Change(case, "max_abs_diff", "", "lower", "keras", None, float(table["max_abs_diff"].max())),
        Change(case, "js_p99", "bits", "lower", "keras", None, float(np.quantile(table["js_divergence"], 0.99))),
        Change(case, "ece", "fraction", "lower", "keras", 0.011, 0.012),
    ]


def _latency_changes(rng: np.random.Generator, case: Case, attempts: tuple[Round, ...]) -> list[Change]:
    rounds = tuple(r for r in attempts if r.status in ("valid", "flagged"))
    series = [r.invokes_ns / 1e3 for r in rounds if r.case == case]
    changes = [
        Change(case, "size_bytes", "bytes", "lower", "float32", VARIANTS["float32"][0], VARIANTS[case.variant][0]),
        Change(case, "peak_rss", "bytes", "lower", "", None, float(rng.integers(60, 70) * 1_048_576)),
        Change(case, "model_rss", "bytes", "lower", "", None, float(rng.integers(300, 900) * 4096)),
    ]
    if not series:
        return changes
    for name, q in (("latency_p50", 0.5), ("latency_p90", 0.9), ("latency_p99", 0.99)):
        logs = np.log([np.quantile(s, q) for s in series])
        changes.append(
            Change(case, name, "us", "lower", "", None, float(np.quantile(np.concatenate(series), q)), *_t(logs))
        )
    changes.append(Change(case, "latency_mean", "us", "lower", "", None, float(np.concatenate(series).mean())))
    for name, phase in (("load", "load"), ("first_invoke", "first")):
        ms = [r.timings[phase].ns[0] / 1e6 for r in rounds if r.case == case]
        changes.append(
            Change(case, name, "ms", "lower", "", None, float(np.median(ms)), float(min(ms)), float(max(ms)))
        )
    control = [r for r in rounds if r.case == Case("float32", case.target, case.runtime, case.threads)]
    if case.variant != "float32":
        medians = np.array([np.median(r.timings["timed"].ns) / 1e3 for r in control])
        ratios = np.log(medians / [np.median(s) for s in series])
        ratio = float(np.exp(ratios.mean()))
        changes.append(Change(case, "speedup_vs_float32", "ratio", "higher", "float32", 1.0, ratio, *_t(ratios)))
        smallest = 100 * math.expm1(SMALLEST.get(len(ratios), 2.0) * ratios.std(ddof=1))
        changes.append(Change(case, "smallest_detectable_effect", "%", "", "float32", None, smallest))
    return [*changes, *_further_changes(case)]


def _further_changes(case: Case) -> list[Change]:
    """What the harness says of the timing itself, and of the file."""
    alone = [
        ("set_input", "us", 0.69),
        ("get_output", "us", 0.79),
        ("timing_pair", "ns", 55.0),
        ("ess_share", "fraction", 0.9),
    ]
    changes = [Change(case, name, unit, "", "", None, value) for name, unit, value in alone]
    changes.append(Change(case, "warmup_drift", "%", "", "", None, 0.1, -0.4, 0.6))
    changes.append(Change(case, "activation_bytes_upper_bound", "bytes", "lower", "float32", 6864.0, 6864.0))
    return changes


def _t(logs: np.ndarray) -> tuple[float | None, float | None]:
    if len(logs) < 6:
        return None, None
    half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
    return float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))
