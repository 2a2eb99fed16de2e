"""device/micro.py: models as a microcontroller answers, and the arena that they take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.device import engines
from harness.measure import raw
from harness.measure.jobs import round_jobs, shard_jobs
from harness.measure.raw import Label
from harness.measure.runtimes import exists_for
from harness.records import Ran, Run, Shard
from tests import made_runs
from tests.devices import device_source, job_spec, lay_job, recorded_work, run_job, stored_inputs, zipapp
from tests.made_answers import verdict_of
from tests.small_models import tflite

REFERENCE, MICRO = "ai-edge-litert:reference", "tflite-micro"
HAS_MICRO = pytest.mark.skipif(not engines.version("tflite-micro"), reason="there is no tflite-micro for this Python")
APART = {"int16x8": 1e-3}  # its softmax is another one: the others are the same to the bit
REFUSED = {"float16": "DEQUANTIZE", "dynamic_range": "FULLY_CONNECTED"}


def test_it_exists_for_one_python_and_processor() -> None:
    assert exists_for("tflite-micro", "3.11.7", "x86_64")
    assert not exists_for("tflite-micro", "3.12.1", "x86_64")
    assert not exists_for("tflite-micro", "3.11.7", "aarch64")
    assert engines.is_simulated("tflite-micro") and engines.is_simulated("tflite-micro@0.dev20261023182759")
    assert not engines.is_simulated("ai-edge-litert:reference")


@HAS_MICRO
@pytest.mark.parametrize("model", ["int8", "float32", "int16x8", "convolutions_int8", "convolutions_float32"])
def test_it_answers_as_reference_kernels_do_in_the_smallest_arena(tmp_path: Path, model: str) -> None:
    pyz, answers = zipapp(device_source(tmp_path)), dict[str, np.ndarray]()
    content = tflite(model).read_bytes()
    for engine in (REFERENCE, MICRO):
        at = lay_job(tmp_path / engine.replace(":", "-"), job_spec("outputs", engine), content, stored_inputs(20))
        assert run_job(pyz, at).returncode == 0
        result = json.loads((at / "result.json").read_text())
        assert (result["status"], result["runtime"]) == ("ok", engine)
        answers[engine] = np.load(at / "outputs" / "0.npy")
    np.testing.assert_allclose(answers[MICRO], answers[REFERENCE], rtol=0, atol=APART.get(model, 0))
    assert result["outputs"][0]["dtype"] == answers[MICRO].dtype.name
    assert_smallest(content, result["arena_bytes"])


def assert_smallest(content: bytes, arena_bytes: int) -> None:
    """By tflite-micro's own class alone: it runs in so many bytes, and does not start in 1, 16 or 1,000 fewer."""
    from tflite_micro.python.tflite_micro import runtime

    model = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    details = model.get_input_details(0)
    model.set_input(np.zeros(details["shape"], details["dtype"]), 0)
    model.invoke()
    for fewer in (1, 16, 1000):
        with pytest.raises(RuntimeError):
            runtime.Interpreter.from_bytes(content, arena_size=arena_bytes - fewer)


@HAS_MICRO
@pytest.mark.parametrize("model", REFUSED)
def test_what_it_cannot_run_is_unsupported_and_names_the_op(tmp_path: Path, model: str) -> None:
    pyz = zipapp(device_source(tmp_path))
    at = lay_job(tmp_path / "job", job_spec("outputs", "tflite-micro"), tflite(model).read_bytes(), stored_inputs(1))
    assert run_job(pyz, at).returncode == 0
    result = json.loads((at / "result.json").read_text())
    assert result["status"] == "unsupported"
    assert result["error"].startswith(f"tflite-micro cannot run this file: Node {REFUSED[model]} (number ")


@HAS_MICRO
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Node SOFTMAX (number 3f) failed to prepare with status 1", engines.Refused),
        ("Didn't find op for builtin opcode 'RFFT2D'", engines.Refused),
        ("Interpreter could not be initialized", RuntimeError),
        ("schema version 4 is not equal to supported version 3, unsupported", RuntimeError),
        ("", RuntimeError),
    ],
)
def test_a_file_is_refused_only_where_an_op_is_named(
    monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Exception]
) -> None:
    """A rule leaves out what is refused: whatever else goes wrong is a failure."""
    from harness.device import micro

    monkeypatch.setattr(micro, "opened", lambda content, arena_bytes: (None, said))
    with pytest.raises(Exception, match=r"^tflite-micro cannot run this file: ") as caught:
        micro.smallest_arena(said.encode())
    assert caught.type is kind


# What a run makes of it.


def made(float16: Shard, int8_bytes: int = 4_240) -> Run:
    """Both files on ai-edge-litert, timed, and on tflite-micro; float16 there is what is given."""
    answers, labels = made_runs.scores(300), np.zeros(300, np.int64)
    cases = [made_runs.case(v, r) for v in ("float32", "int8", "float16") for r in (made_runs.LITERT, MICRO)]
    shards = {case: made_runs.shard(case, answers) for case in cases}
    for variant, size in (("float32", 7_760), ("int8", int8_bytes)):
        case = made_runs.case(variant, MICRO)
        shards[case] = replace(shards[case], arena_bytes=size)
    shards[float16.case] = float16
    plain = made_runs.case("int8")
    shards[plain] = replace(shards[plain], ran=Ran(5, 3, 2, ("SOFTMAX", "SOFTMAX")))
    rounds = [made_runs.timed(c, n, [9_000] * 60) for c in cases if c.runtime != MICRO for n in range(2)]
    environment = replace(made_runs.ENVIRONMENT, runtimes={**made_runs.ENVIRONMENT.runtimes, MICRO: "0.dev1"})
    return made_runs.run(
        cases, labels=labels, baseline=answers, shards=list(shards.values()), rounds=rounds, planned=2,
        environment=environment,
    )  # fmt: skip


REFUSAL = Shard(made_runs.case("float16", MICRO), 0, 300, "unsupported", "it lacks DEQUANTIZE")


def test_it_is_not_timed_and_what_it_refuses_is_unsupported() -> None:
    found = compare(made(REFUSAL))
    ends = {(s.case.variant, s.case.runtime): (s.status, s.reason) for s in found.standings}
    assert ends["float16", MICRO] == ("unsupported", "it lacks DEQUANTIZE")
    assert ends["int8", MICRO][0] != "invalid" and ends["int8", made_runs.LITERT][0] != "invalid"
    arenas = {c.case: (c.value, c.baseline) for c in found.changes if c.metric == "arena_bytes"}
    assert arenas[made_runs.case("int8", MICRO)] == (4_240, 7_760)
    assert arenas[made_runs.case("int8")] == (None, None)
    outside = {c.case: c.value for c in found.changes if c.metric == "ops_outside_delegate"}
    assert outside[made_runs.case("int8")] == 2 and outside[made_runs.case("int8", MICRO)] is None
    timed = {c.case.runtime for c in found.changes if c.metric == "latency_p50" and c.value is not None}
    assert timed == {made_runs.LITERT}


def test_a_round_is_planned_for_no_engine_that_is_not_timed() -> None:
    work = recorded_work()
    cases = [replace(work.cases[0], runtime=runtime) for runtime in (made_runs.LITERT, MICRO, f"{MICRO}@0.dev1")]
    assert {job.case.runtime for job in round_jobs(work, cases)} == {made_runs.LITERT}
    assert {job.case.runtime for job in shard_jobs(work, cases)} == {case.runtime for case in cases}


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ('metric = "arena_bytes"\nmax = "4240B"\nvariant = "int8"\nruntime = "tflite-micro"', True),
        ('metric = "arena_bytes"\nmax = "4239B"\nvariant = "int8"\nruntime = "tflite-micro"', False),
        (
            'metric = "arena_bytes"\nmax_increase = "0%"\nagainst = "float32"\nvariant = "int8"\nruntime = "tflite-*"',
            True,
        ),
        ('metric = "ops_outside_delegate"\nmax = 2\nvariant = "int8"\nruntime = "ai-edge-litert"', True),
        ('metric = "ops_outside_delegate"\nmax = 1\nvariant = "int8"\nruntime = "ai-edge-litert"', False),
        ('metric = "arena_bytes"\nmax = "1MB"\nvariant = "int8"', False),  # ai-edge-litert has no arena
        ('metric = "latency_p50"\nmax = "1s"\nvariant = "int8"\nruntime = "tflite-micro"', False),  # it is not timed
    ],
)
def test_a_rule_bounds_the_arena_and_what_the_delegate_leaves(rule: str, passed: bool) -> None:
    verdict = verdict_of(made(REFUSAL), f"[[rule]]\n{rule}\n")
    assert (verdict.outcome == "pass") == passed, verdict


def test_only_such_an_engine_may_say_that_a_file_is_unsupported() -> None:
    """A rule leaves out what is unsupported: a device must not have its way with that."""
    labels = {runtime: Label(made_runs.case("int8", runtime), "outputs", 0, 1) for runtime in (MICRO, made_runs.LITERT)}
    said = {"status": "unsupported", "error": "it lacks an op"}
    assert {runtime: raw._ended(label, said) for runtime, label in labels.items()} == {
        MICRO: "unsupported", made_runs.LITERT: "failed"
    }  # fmt: skip
