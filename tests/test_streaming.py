"""State that a program carries from an output to an input, from experiment.toml to report.

The model adds up the frames of a clip, and the label of a frame is whether the sum so far is over 0: without the state
of the frames before, it can only guess. Right answers come from a loop of a few lines that shares no code with ours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import harness as front
from harness import pipeline
from harness.build.builder import build
from harness.compare.numbers import inputs_of
from harness.device import engines
from harness.errors import HarnessError
from harness.experiment.experiment_file import read_experiment
from harness.measure import jobs
from harness.measure.connections import connect
from harness.measure.connections import device_code as code
from harness.measure.selftest.audit_result import Terms
from harness.measure.selftest.run_audit import Audit
from harness.runs.header import read_header
from harness.runs.loading import load, read_dataset
from harness.runs.store import Store
from harness.support.cache import Cache, cache_dir
from tests.devices import RUNTIMES, Quiet, append, device_source, lay_job, run_job, zipapp
from tests.stateful_files import running_sum, two_sums

LENGTHS = (1, 7, 30, 1, 6)  # of clips: single samples, and one longer than a shard
COUNT = sum(LENGTHS)
STARTS = [0, 1, 8, 38]
SCALES = ((0.5, 3), (0.5, -7), (0.5, 0), (0.25, 11))  # frame, state_in, score, state_out: two scales of the state
EXPERIMENT = """
name = "sums"
[data]
test = "test.npz"
sequence = "clip"
[state]
state_out = "state_in"
[variants]
import = { float32 = "float32.tflite", int8 = "int8.tflite" }
baseline = "float32"
[metrics]
output = "score"
[plan]
profile = "none"
"""

# A second opinion: nothing of ours in it.
INDEPENDENT = """
import importlib, sys
import numpy as np
module, model, data, out = sys.argv[1:]
data = np.load(data)
def begun():
    new = importlib.import_module(module).Interpreter(model_path=model, num_threads=1)
    new.allocate_tensors()
    return new
def stored(value, tensor):
    scale, zero_point = tensor["quantization"]
    if tensor["dtype"] != np.int8:
        return np.float32(value)
    return np.int8(min(127, max(-128, int(np.rint(value / scale)) + zero_point)))
def real(value, tensor):
    scale, zero_point = tensor["quantization"]
    return (float(value) - zero_point) * scale if tensor["dtype"] == np.int8 else float(value)
answers, before, firsts = [], None, data["state_in"] if "state_in" in data else np.zeros(len(data["frame"]))
for frame, clip, first in zip(data["frame"].ravel(), data["clip"], np.ravel(firsts)):
    if clip != before:
        interpreter, state, before = begun(), float(first), clip
    inputs = {t["name"]: t for t in interpreter.get_input_details()}
    outputs = {t["name"]: t for t in interpreter.get_output_details()}
    for name, value in (("frame", float(frame)), ("state_in", state)):
        interpreter.set_tensor(inputs[name]["index"], np.full((1, 1), stored(value, inputs[name])))
    interpreter.invoke()
    given = {name: interpreter.get_tensor(t["index"]).ravel()[0] for name, t in outputs.items()}
    answers.append([given["score"], given["state_out"]])
    state = real(given["state_out"], outputs["state_out"])
np.save(out, np.array(answers))
"""


def clips(lengths: tuple[int, ...] = LENGTHS, **further: np.ndarray) -> dict[str, np.ndarray]:
    """Frames of ± 1, the first of a clip a half more: no sum is 0, and all of them are steps of int8."""
    rng = np.random.default_rng(5)
    clip = np.repeat(np.arange(len(lengths)), lengths)
    frame = rng.choice([-1.0, 1.0], len(clip))
    frame[np.flatnonzero(np.diff(clip, prepend=-1))] *= 1.5
    begun = np.ravel(further.get("state_in", np.zeros(len(clip))))
    starts = np.cumsum(lengths) - lengths
    sums = np.concatenate([begun[n] + np.cumsum(frame[n : n + m]) for n, m in zip(starts, lengths, strict=True)])
    return {"frame": frame[:, None].astype(np.float32), "clip": clip, "y": (sums > 0).astype(np.int64), **further}


def lay(folder: Path, text: str = EXPERIMENT, **data: np.ndarray) -> Path:
    (folder / "float32.tflite").write_bytes(running_sum())
    (folder / "int8.tflite").write_bytes(running_sum(SCALES))
    np.savez(folder / "test.npz", **(data or clips()))
    (folder / "experiment.toml").write_text(text)
    return folder / "experiment.toml"


def run_of(folder: Path, text: str = EXPERIMENT, data: dict[str, np.ndarray] | None = None, **asked: Any) -> front.Run:
    """Of one runtime, where no other is asked for."""
    where = {"results": folder / "results", "targets_dir": folder / "targets", "runtimes": RUNTIMES[0]}
    return front.run(lay(folder, text, **(data or {})), **where | asked)


def independent(folder: Path, runtime: str, variant: str) -> np.ndarray:
    """(samples, 2): the score and the state out, as the file stores them."""
    out = folder / f"{runtime}-{variant}.npy"
    files = [str(folder / f"{variant}.tflite"), str(folder / "test.npz"), str(out)]
    subprocess.run([sys.executable, "-c", INDEPENDENT, engines.ENGINES[runtime], *files], check=True)
    return np.load(out)


def raw(run: front.Run, runtime: str, variant: str) -> np.ndarray:
    """The same as the run kept it: the outputs of its shards, in the file's own order."""
    folders = sorted(run.path.glob(f"raw/*/shard-*.{variant}.{runtime}.*"))
    parts = [[np.load(folder / "outputs" / f"{n}.npy") for n in range(2)] for folder in folders]
    return np.concatenate([np.concatenate([y.reshape(len(y), 1) for y in part], axis=1) for part in parts])


@pytest.fixture(scope="module")
def own_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    source = device_source(tmp_path_factory.mktemp("code"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "SOURCE", source)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sums")


@pytest.fixture(scope="module")
def run(own_code: Path, folder: Path) -> front.Run:
    """Of every runtime and both files, in shards of 20 samples, with a round of timing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SHARD_SAMPLES", 20)
        return run_of(folder, plan=front.Plan("mine", 1, 80, 0.0, 0.0), runtimes=RUNTIMES)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_answers_equal_an_independent_loop_with_a_new_state_for_each_clip(run, folder, runtime, variant):
    np.testing.assert_array_equal(raw(run, runtime, variant), independent(folder, runtime, variant))


def test_every_frame_is_right_and_the_gate_counts_clips(run):
    rows = run.summary
    assert set(rows["status"]) == {"ok"} and set(rows["accuracy"]) == {1.0}
    assert len(rows) == 2 * len(RUNTIMES)
    remarks = " ".join(read_header(run.path).provenance.remarks)
    assert "state (state_out → state_in) is carried inside 5 clips of 1 to 30 samples" in remarks
    assert [str(each) for each in read_header(run.path).state] == ["state_out → state_in"]


def test_one_sample_is_shown_with_the_state_that_keras_had(run):
    """Sample 3 is the third of the second clip, sample 8 the first of the third."""
    known = load(run.path, trust=True)
    frames, as_comparison = clips()["frame"].ravel(), cast(Any, SimpleNamespace(run=known))
    inside, first = (inputs_of(as_comparison, n) for n in (3, 8))
    numbers = [float(told.partition(": ")[2].replace("−", "-")) for told in (*inside, *first)]
    assert numbers == [frames[3], frames[1:3].sum(), frames[8], 0]
    assert inside[1].startswith("state_in, Keras' state: ")


def test_without_the_state_the_same_files_guess(own_code, tmp_path):
    data = clips() | {"state_in": np.zeros((COUNT, 1), np.float32)}
    text = EXPERIMENT.replace('[state]\nstate_out = "state_in"\n', "").replace('sequence = "clip"', "")
    data.pop("clip")
    rows = run_of(tmp_path, text, data, variants="float32").summary
    assert rows["accuracy"].max() < 0.75


def test_a_clip_may_begin_with_a_state_that_the_data_give(own_code, tmp_path):
    """At its first frame: what stands at the others is not read."""
    begun = np.full((COUNT, 1), 99, np.float32)
    begun[np.cumsum(LENGTHS) - LENGTHS] = np.resize([4.0, -4.0], (5, 1))
    run = run_of(tmp_path, data=clips(state_in=begun))
    assert set(run.summary["accuracy"]) == {1.0}
    for variant in ("float32", "int8"):
        np.testing.assert_array_equal(raw(run, RUNTIMES[0], variant), independent(tmp_path, RUNTIMES[0], variant))


def test_one_clip_is_one_stream(own_code, tmp_path):
    run = run_of(tmp_path, data=clips((60,)), variants="float32")
    assert set(run.summary["accuracy"]) == {1.0}


def test_a_device_that_begins_no_clip_anew_is_found_out(own_code, tmp_path, monkeypatch):
    change = ("index % samples in model.starts", "index % samples == 0")
    bad = device_source(tmp_path, change)
    experiment = lay(tmp_path)
    known = read_experiment(experiment)
    built = build(known, known.load(), Cache(cache_dir()), lambda text: None)  # here by honest code
    assert {v.status for v in built.variants} == {"ok"}
    monkeypatch.setattr(code, "SOURCE", bad)
    monkeypatch.setattr("harness.build.original.runner_code", lambda: "the same")
    rows = run_of(tmp_path).summary
    assert set(rows["status"]) == {"suspect"}
    assert all("answers change when the clips are asked in another order" in reason for reason in rows["reason"])


# --- time, and other ways to ask again -------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_timed_has_the_state_that_its_sample_has_in_its_clip(own_code, folder, run, tmp_path, runtime):
    """The answers of timed invokes are those of the accuracy pass: sample by sample, and again from the first on."""
    given = timed(zipapp(own_code), tmp_path, runtime, running_sum(SCALES), "none")
    wanted = independent(folder, runtime, "int8")[:39, 0]
    np.testing.assert_array_equal(given, np.resize(wanted, 60))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_so_it_has_where_the_file_keeps_state_of_its_own_besides(tmp_path, runtime):
    """Of each clip the sums of sums; a timing of one invoke, or the file's own state would run on in it."""
    source = device_source(tmp_path)
    append(source, "job.py", "warm = warm_up\ndef warm_up(*of): return warm(*of) + 1e9\n")
    given = timed(zipapp(source), tmp_path, runtime, two_sums(), "variables")
    cut = np.split(clips()["frame"][:39, 0], STARTS[1:])
    np.testing.assert_array_equal(given, np.resize(np.concatenate([f.cumsum().cumsum() for f in cut]), 60))


def timed(pyz: Path, folder: Path, runtime: str, model: bytes, reset: str) -> np.ndarray:
    """The answers of 60 timed invokes."""
    spec = {
        "kind": "latency", "runtime": runtime, "threads": 1, "inputs": ["inputs/0.npy", "inputs/1.npy"],
        "affines": [{"scale": 1.0, "offset": 0.0}] * 2, "carried": [[1, 1]], "starts": STARTS, "reset": reset,
        "warmup_s": 0.0, "warmup_runs": 30, "min_s": 0.0, "min_runs": 60, "max_runs": 60, "answers": list(range(60)),
    }  # fmt: skip
    job = lay_job(folder / "job", spec, model, clips()["frame"][:39])
    np.save(job / "inputs" / "1.npy", np.zeros((39, 1), np.float32))
    assert run_job(pyz, job).returncode == 0
    given: np.ndarray = np.load(job / "outputs" / "0.npy").ravel()
    return given


def test_an_audit_finds_the_same_answers_while_it_times(run, own_code):
    """Of an emulated device answers alone are audited: of samples in their order, of clips in another, and of one."""
    header = read_header(run.path)
    record = header.targets[0]
    known = load(run.path, trust=True)
    emulated = replace(record, target=replace(record.target, emulated=True))
    cases = [case for case in known.cases if case.variant == "int8"]
    audit = Audit(known, read_dataset(run.path, header), emulated, cases, Terms(7, rounds=6))
    connection = connect(record.target, "audit")
    try:
        checks, _ = audit.measure(connection, run.path.parent / "audit", Quiet())
    finally:
        connection.close()
    assert [check.outcome for check in checks] == ["pass"] * len(cases), checks


def test_a_recording_answers_for_its_own_state_alone(run, own_code, tmp_path):
    targets = tmp_path / "targets"
    targets.mkdir()
    recording = next(run.path.glob("raw/*"))
    kind = f'kind = "replay"\nhost = "{recording}"\n'
    (targets / f"{recording.name}.toml").write_text(kind)
    asked = {"results": tmp_path / "results", "targets_dir": targets, "targets": recording.name, "plan": "none"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SHARD_SAMPLES", 20)
        again = front.run(lay(tmp_path), **asked)
        assert set(again.summary["accuracy"]) == {1.0}
        document = json.loads((run.path / "run.json").read_text())
        other = tmp_path / "other" / run.path.name
        shutil.copytree(run.path, other)
        (other / "run.json").write_text(json.dumps(document | {"state": []}))
        (targets / f"{recording.name}.toml").write_text(f'kind = "replay"\nhost = "{other}/raw/{recording.name}"\n')
        with pytest.raises(HarnessError, match=r"was recorded with other \[state\]"):
            front.run(lay(tmp_path), **asked)


def test_a_run_goes_on_where_a_shard_is_missing(run, own_code):
    before = raw(run, RUNTIMES[0], "int8")
    copy = run.path.parents[2] / "again"
    shutil.copytree(run.path.parents[1], copy)
    path = next(copy.glob("sums/2*"))
    document = json.loads((path / "run.json").read_text())
    document["finished"] = False
    (path / "run.json").write_text(json.dumps(document))
    (path / "manifest.json").unlink()
    shard = sorted(path.glob(f"raw/*/shard-*.int8.{RUNTIMES[0]}.*"))[1]
    shutil.rmtree(shard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SHARD_SAMPLES", 20)
        pipeline.resume(path.name, Store(copy, trust=True), Quiet())
    np.testing.assert_array_equal(raw(front.load(path.name, copy), RUNTIMES[0], "int8"), before)
