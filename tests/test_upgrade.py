"""One engine held against another in one run: who passes, who fails, and of what nothing is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from harness import pipeline
from harness.cli.schemas import schema_of
from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.policy import Policy
from harness.gate.policy.policy_file import parse_policy
from harness.gate.reference.two_engines import engines_of
from harness.gate.upgrade import default_rules, judge_upgrade
from harness.measure.provision.probe import Here, look_at
from harness.measure.provision.releases import provide_release
from harness.records import Case, Finding, Run, Shard, Target, TargetRecord, Verdict
from harness.runs import loading
from harness.runs.header import read_header
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.cache import file_sha256
from tests.conftest import Call
from tests.devices import RECORDED, Quiet, copy_of_recording, device_source
from tests.made_answers import BOARD, RULE, made, verdict_of
from tests.test_releases import NAME, PLANTED_RELEASE, wheel

PRESENT, CANDIDATE = "ai-edge-litert@2.1.6", "ai-edge-litert@2.3.0"
BOTH = engines_of(PRESENT, CANDIDATE)
INSTALLED: dict[str, str | None] = {PRESENT: "2.1.6", CANDIDATE: "2.3.0"}
N = 2000
LABELS = np.random.default_rng(1).integers(0, 3, N)
UNEVEN_US = [100, 180, 90, 140, 260, 120, 100, 150, 110, 130]  # a device that is not the same from round to round
LOST = RULE + 'metric = "accuracy_drop"\nmax = "1pp"\nagainst = "reference"\n'
HEADS = RECORDED.with_name("heads-schema-6")
PIECES = ("shards", "rounds")
SLOWER = RULE + 'metric = "latency_p50"\nmax_increase = "10%"\nagainst = "reference"\n'


def wrong(share: float, labels: np.ndarray = LABELS) -> np.ndarray:
    """Answers of which the first ones are wrong."""
    return np.where(np.arange(len(labels)) < share * len(labels), (labels + 1) % 3, labels)


def one(answers: np.ndarray, us: Sequence[float] = (), labels: np.ndarray = LABELS, **fields: Any) -> Run:
    """int8 alone, with the engine that has no release in its name."""
    return made({"int8": answers}, labels, labels=labels, latencies_us={"int8": us} if us else {}, **fields)


def measured(before: Run, after: Run, installed: dict[str, str | None] = INSTALLED, emulated: bool = False) -> Run:
    """Both as one run that had two engines."""
    sides = [with_engine(before, PRESENT), with_engine(after, CANDIDATE)]
    parts: dict[str, Any] = {name: sum((getattr(side, name) for side in sides), ()) for name in ("cases", *PIECES)}
    target = TargetRecord(
        Target("host", emulated=emulated), replace(BOARD, runtimes=installed, machine="x86_64", glibc="2.36")
    )
    return replace(before, targets=(target,), **parts)


def with_engine(run: Run, engine: str) -> Run:
    pieces: dict[str, Any] = {
        n: tuple(replace(p, case=replace(p.case, runtime=engine)) for p in getattr(run, n)) for n in PIECES
    }
    return replace(run, cases=tuple(replace(c, runtime=engine) for c in run.cases), **pieces)


def upgraded(run: Run, rules: str = "") -> Verdict:
    policy: Policy = parse_policy(rules, "policy.toml") if rules else default_rules(run, BOTH)
    return judge_upgrade(compare(run), BOTH, policy)


def of(verdict: Verdict, metric: str) -> Finding:
    (found,) = (f for f in verdict.findings if f.metric == metric)
    return found


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_release_that_answers_alike_and_as_fast_passes() -> None:
    verdict = upgraded(measured(one(wrong(0.05), UNEVEN_US), one(wrong(0.05), UNEVEN_US)))
    assert verdict.outcome == "pass" and verdict.ships == ("int8",) and verdict.reference == PRESENT
    assert [f.metric for f in verdict.findings] == ["loads", "accuracy_drop", "flip_rate", "latency_p50"]
    assert {f.case.runtime for f in verdict.findings if f.case} == {CANDIDATE}
    assert of(verdict, "loads").reason == "2.1.6 → 2.3.0"


def test_a_release_with_worse_answers_fails_by_what_it_lost_to_the_present_one() -> None:
    verdict = upgraded(measured(one(wrong(0.05)), one(wrong(0.08))))
    lost, others = of(verdict, "accuracy_drop"), of(verdict, "flip_rate")
    assert (lost.outcome, others.outcome, verdict.outcome) == ("fail", "fail", "fail")
    assert lost.value == pytest.approx(3.0) and others.value == pytest.approx(0.03)  # not 8, which Keras has before it
    assert verdict.ships == ()


def test_what_the_present_release_answers_badly_is_not_held_against_the_candidate() -> None:
    verdict = upgraded(measured(one(wrong(0.2)), one(wrong(0.2))))
    assert of(verdict, "accuracy_drop").outcome == "pass" and of(verdict, "accuracy_drop").value == 0
    absolute = upgraded(measured(one(wrong(0.2)), one(wrong(0.2))), RULE + 'metric = "accuracy"\nmin = "0.9"\n')
    assert of(absolute, "accuracy").outcome == "fail"


def test_too_few_samples_decide_nothing() -> None:
    few = LABELS[:60]
    verdict = upgraded(measured(one(few, labels=few), one(few, labels=few)))
    assert of(verdict, "accuracy_drop").outcome == "inconclusive" and verdict.outcome == "inconclusive"


def test_the_answers_are_judged_as_those_of_two_runs_are() -> None:
    """The gate with a stored reference comes to the same figures, without any row renamed."""
    rules = LOST + RULE + 'metric = "flip_rate"\nmax = "2%"\nagainst = "reference"\n'
    before, after = one(wrong(0.05)), one(wrong(0.06))
    in_one = upgraded(measured(before, after), rules).findings[1:]
    apart = verdict_of(after, rules, before).findings
    figures = [[(f.outcome, f.value, f.low, f.high, f.p) for f in each] for each in (in_one, apart)]
    assert figures[0] == figures[1]


def test_each_labelled_output_is_judged_against_the_present_release() -> None:
    """A model with three labelled outputs, of which the candidate engine answers one otherwise."""
    run = loading.load(HEADS)
    float32 = replace(run, cases=run.cases[:1], shards=tuple(s for s in run.shards if s.case == run.cases[0]))
    ink = run.outputs.index("ink")
    verdict = upgraded(measured(float32, replace(float32, shards=tuple(moved(s, ink) for s in float32.shards))))
    assert of(verdict, "accuracy_drop").each == {"digit": "pass", "parity": "pass"}
    assert {"digit", "parity"} == {head.output for head in verdict.heads if head.outcome == "pass"}
    assert of(verdict, "rmse").each == {"ink": "fail"} and verdict.outcome == "fail"


def moved(shard: Shard, output: int) -> Shard:
    outputs = [np.asarray(array) for array in shard.outputs]
    outputs[output] = outputs[output] + np.float32(1)
    return replace(shard, outputs=tuple(outputs))


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "outcome"), [(1.02, "pass"), (1.3, "fail")])
def test_time_is_paired_by_round(factor: float, outcome: str) -> None:
    """The device's own unevenness is in both, and cancels: the ratio is known to the last digit."""
    run = measured(one(LABELS, UNEVEN_US), one(LABELS, [factor * us for us in UNEVEN_US]))
    slower = of(upgraded(run), "latency_p50")
    assert slower.outcome == outcome and slower.value == pytest.approx(100 * (factor - 1), abs=0.01)
    assert "same .tflite file" not in slower.reason  # that is what an upgrade is


def test_a_device_without_a_serial_number_is_one_device_all_the_same() -> None:
    run = measured(one(LABELS, UNEVEN_US), one(LABELS, UNEVEN_US))
    nameless = replace(run.targets[0].environment or BOARD, serial_sha256=None)
    run = replace(run, targets=(replace(run.targets[0], environment=nameless),))
    assert of(upgraded(run), "latency_p50").outcome == "pass"


def test_no_time_is_claimed_for_an_emulated_board() -> None:
    run = measured(one(LABELS, UNEVEN_US), one(LABELS, UNEVEN_US), emulated=True)
    assert "latency_p50" not in {f.metric for f in upgraded(run).findings}
    asked = of(upgraded(run, SLOWER), "latency_p50")
    assert asked.outcome == "invalid" and "emulated" in asked.reason


# --- what does not load ----------------------------------------------------------------------------------------------


def broken(run: Run, status: str, reason: str) -> Run:
    """The candidate's answers taken away."""
    case = replace(run.cases[-1], runtime=CANDIDATE)
    shard = Shard(case, 0, N, status=status, reason=reason)  # type: ignore[arg-type]
    return replace(run, shards=(*(s for s in run.shards if s.case.runtime == PRESENT), shard))


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_a_variant_that_no_longer_loads_fails(status: str) -> None:
    verdict = upgraded(broken(measured(one(LABELS), one(LABELS)), status, "Op 'CONV_2D' is not supported"))
    loads = of(verdict, "loads")
    assert loads.outcome == verdict.outcome == "fail" and not loads.holds and verdict.ships == ()
    assert loads.reason == f"on {CANDIDATE} it is {status}: Op 'CONV_2D' is not supported"


def test_a_release_that_is_not_installed_is_missing_and_no_failure_of_it() -> None:
    run = measured(one(LABELS), one(LABELS), {PRESENT: "2.1.6"})
    verdict = upgraded(broken(run, "failed", "no such interpreter"))
    loads = of(verdict, "loads")
    assert loads.outcome == "missing" and f"--runtime {CANDIDATE} installs it" in loads.reason
    assert verdict.outcome != "pass"


def test_what_was_not_measured_to_its_end_is_not_known() -> None:
    run = measured(one(LABELS), one(LABELS))
    run = replace(run, shards=tuple(s for s in run.shards if s.case.runtime == PRESENT))
    assert of(upgraded(run), "loads").outcome == "inconclusive"


def test_where_the_present_release_does_not_load_either_nothing_is_compared() -> None:
    run = broken(measured(one(LABELS), one(LABELS)), "failed", "it crashed")
    gone = replace(run.shards[-1], case=replace(run.shards[-1].case, runtime=PRESENT))
    assert of(upgraded(replace(run, shards=(gone, run.shards[-1]))), "loads").outcome == "not_comparable"


def test_in_mode_any_a_variant_that_does_not_load_is_left_out() -> None:
    keras = LABELS
    two = made({"float32": keras, "int8": keras}, keras, labels=LABELS)
    run = broken(measured(two, two), "failed", "it crashed")
    sound = next(s for s in measured(two, two).shards if s.case.runtime == CANDIDATE and s.case.variant == "float32")
    verdict = upgraded(replace(run, shards=(*run.shards, sound)), 'mode = "any"\n' + LOST)
    assert verdict.outcome == "pass" and verdict.ships == ("float32",)


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_held_against_each_other_is_refused() -> None:
    with pytest.raises(ConfigError, match="against itself"):
        engines_of(PRESENT, PRESENT)
    with pytest.raises(ConfigError, match=r"has no tflite-micro: it measured ai-edge-litert@2\.1\.6 and"):
        judge_upgrade(
            compare(measured(one(LABELS), one(LABELS))), engines_of(PRESENT, "tflite-micro"), parse_policy(LOST, "p")
        )


def test_each_task_has_a_default_or_says_that_it_has_none() -> None:
    from harness.gate.policy import default_policy, upgrade_policy
    from harness.metrics.task_table import TASK_TABLE

    for kind in TASK_TABLE:
        if kind.default is None:
            continue
        policy = upgrade_policy([kind.name], ["a board"])
        assert {rule.against for rule in policy.rules} == {"reference"} and policy.rules[-1].target == "a board"
        assert {r.variant for r in policy.rules} == {"*"} and default_policy([kind.name]).rules[0].variant == "!float32"


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_judges_a_stored_run_and_keeps_what_it_said(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_of_recording(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    engines = ("--from", "tflite-runtime", "--to", "ai-edge-litert")
    code, out, err = harness("upgrade", "latest", *engines)
    kept = json.loads((path / "upgrade.json").read_text())
    assert code == int(kept["outcome"] != "pass"), err
    assert "Against tflite-runtime." in out and {f["case"]["runtime"] for f in kept["findings"]} == {"ai-edge-litert"}
    printed = json.loads(harness("upgrade", "latest", *engines, "--json")[1])
    assert printed == kept and (kept["from"], kept["to"]) == ("tflite-runtime", "ai-edge-litert")
    jsonschema.validate(printed, schema_of("upgrade"), jsonschema.Draft202012Validator)


def test_a_verdict_that_cannot_be_kept_is_told(harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy_of_recording(tmp_path / "results") / "upgrade.json").mkdir()
    monkeypatch.chdir(tmp_path)
    code, _, err = harness("upgrade", "latest", "--from", "tflite-runtime", "--to", "ai-edge-litert")
    assert code == 2 and "cannot be written" in err and "the verdict, " in err


def test_a_policy_without_a_rule_against_the_present_engine_is_told_so(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_of_recording(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(RULE + 'metric = "accuracy"\nmin = "1%"\n')
    words = ("--from", "tflite-runtime", "--to", "ai-edge-litert", "--policy", "policy.toml")
    code, _, err = harness("upgrade", "latest", *words)
    assert code == 0 and "of tflite-runtime it is only asked what it loads" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "tflite-runtime", "--to", "tflite-runtime"), "cannot be held against itself"),
        (("--from", "ai-edge-litert", "--to", "ai-edge-litert@9.9.9"), "has no ai-edge-litert@9.9.9"),
        (("--from", "tflite-runtime", "--to", "ai-edge-litert", "--plan", "quick"), "cannot be used with --plan"),
    ],
)
def test_what_cannot_be_answered_is_said_with_exit_code_2(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    copy_of_recording(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    code, _, err = harness("upgrade", "latest", *words)
    assert code == 2 and told in err


# --- a planted release -----------------------------------------------------------------------------------------------

PLANTED_HERE = '''
import hashlib
from ai_edge_litert.interpreter import Interpreter as Sound

WORSE, REFUSED = {worse!r}, {refused!r}


class Interpreter(Sound):
    """Answers as the installed engine does, but for one file, which it turns round, and one that it refuses."""

    def __init__(self, model_content, num_threads):
        self.file = hashlib.sha256(model_content).hexdigest()
        if self.file == REFUSED:
            raise ValueError("Op builtin_code out of range: 25")
        super().__init__(model_content=model_content, num_threads=num_threads)

    def get_tensor(self, index):
        values = super().get_tensor(index)
        return values[..., ::-1] if self.file == WORSE else values
'''


def begun_with_both(tmp_path: Path) -> Path:
    """A run that is to measure three files with the installed engine and the planted one."""
    path = copy_of_recording(tmp_path / "results")
    shutil.rmtree(path / "raw")
    header = read_header(path)
    float32, int8 = (path / "variants" / f"{v.name}.tflite" for v in header.variants)
    known = dict(zip(("sound", "worse", "refused"), (float32, int8, float32), strict=True))
    for name, file in known.items():
        content = file.read_bytes() + b" " * (name == "refused")  # the same model as another file
        (path / "variants" / f"{name}.tflite").write_bytes(content)
    variants = tuple(
        replace(next(v for v in header.variants if v.name == file.stem), name=name, **stored_as(path, name))
        for name, file in known.items()
    )
    target = TargetRecord(replace(header.targets[0].target, workdir=str(tmp_path / "device")))
    cases = tuple(Case(name, "host", engine, 1) for name in known for engine in ("ai-edge-litert", NAME))
    plan = replace(header.plan, rounds=0)  # time is judged above
    begun = replace(header, cases=cases, variants=variants, targets=(target,), plan=plan, finished=False)
    Record(path, header).save(begun)
    return path


def stored_as(path: Path, name: str) -> dict[str, Any]:
    file = Path("variants") / f"{name}.tflite"
    return {"path": file, "sha256": file_sha256(path / file)}


@pytest.mark.slow  # a venv takes seconds
def test_a_planted_release_fails_where_it_is_worse_or_does_not_load_and_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Call
) -> None:
    path = begun_with_both(tmp_path)
    files = {v.name: v.sha256 for v in read_header(path).variants}
    wheel(tmp_path / "wheels", PLANTED_HERE.format(worse=files["worse"], refused=files["refused"]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr("harness.measure.connections.device_code.SOURCE", device_source(tmp_path))
    device = Here(read_header(path).targets[0].target)
    provide_release(device, look_at(device), NAME, PLANTED_RELEASE, lambda text: None)
    assert pipeline.resume(path.name, Store(tmp_path / "results", trust=True), Quiet()).comparison.run.finished
    (tmp_path / "policy.toml").write_text(LOST.replace("1pp", "2pp"))
    words = ("--policy", str(tmp_path / "policy.toml"), "--results", str(tmp_path / "results"), "--trust")
    code, _, err = harness("upgrade", path.name, "--from", "ai-edge-litert", "--to", NAME, *words)
    assert code == 1, err
    found = json.loads((path / "upgrade.json").read_text())["findings"]
    outcomes = {(f["case"]["variant"], f["metric"]): f["outcome"] for f in found}
    assert outcomes == {
        ("sound", "loads"): "pass", ("sound", "accuracy_drop"): "pass",
        ("worse", "loads"): "pass", ("worse", "accuracy_drop"): "fail",
        ("refused", "loads"): "fail", ("refused", "accuracy_drop"): "invalid",
    }  # fmt: skip
