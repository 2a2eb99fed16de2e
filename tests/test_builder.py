"""Building through the cache, with stand-ins for TensorFlow: small models that were converted before (tests/models)."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import pytest

from harness.build import artifact, builder, original, variants
from harness.build.builder import Built, build
from harness.build.keras_process import KerasProcess
from harness.build.models import predictions as baseline
from harness.build.original import RunOnce
from harness.build.variants import Recipe
from harness.build.workloads import digits
from harness.data.calibration import calibration_samples, model_inputs
from harness.errors import BuildError, DiskError
from harness.experiment.plans import plan_of
from harness.experiment.resolve import builtin
from harness.measure import once as runner
from harness.measure.once import run_once
from harness.records import Affine, Dataset, Experiment
from harness.support import cache
from harness.support.cache import Cache, file_sha256
from harness.support.child_process import ChildProcess
from tests import small_models as models

NAMES = ("float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8")
MODEL, BASELINE = "training the Keras model of digits", "running the Keras model over the test set"


class Calls:
    """Takes the place of a KerasProcess: TensorFlow's work is done here, by the stand-ins of tests/small_models.py.

    seen: what was called, with what. put: another stand-in for the function of its name. process: calls there.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        self.stand_ins: dict[str, Callable[..., Any]] = {}
        self.process: ChildProcess | None = None
        for function in (models.train_to, models.describe, models.outputs, models.habits, models.convert):
            self.put(function.__name__, function)

    def put(self, name: str, function: Callable[..., Any]) -> None:
        self.stand_ins[name] = function

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        self.seen.append((function.__name__, args))
        stand_in = self.stand_ins[function.__name__]
        return self.process.call(stand_in, *args) if self.process else stand_in(*args)


def as_the_model(
    path: Path, stored: tuple[np.ndarray, ...], affines: Sequence[Affine], *clips_and_state: object
) -> tuple[np.ndarray, ...]:
    """Takes the place of run_once: every file answers as the model does."""
    return (models.dense_8(stored[0] / 255),)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load()


@pytest.fixture
def once(tmp_path, data, calls):
    """Builds, as one start of the harness does: with a new Cache over the same folder."""

    def built(
        *names: str, data: Dataset = data, fresh: bool = False, run: RunOnce = as_the_model, **changes: Any
    ) -> Built:
        asked: Experiment = dataclasses.replace(builtin("digits", None, names, plan_of("none")), **changes)
        keras = cast(KerasProcess, calls)
        return build(
            asked, data, Cache(tmp_path / "cache", fresh), lambda text: None, lambda log: nullcontext(keras), run
        )

    return built


def converting(calls: Calls, **files: str) -> None:
    """From here on, a variant named here is converted to that file of tests/models."""

    def convert(model_path: Path, make: Recipe, *rest: Any) -> None:
        models.convert(model_path, dataclasses.replace(make, name=files.get(make.name, make.name)), *rest)

    calls.put("convert", convert)


# --- what is built -------------------------------------------------------------------------------------------------


def test_every_variant_is_built_checked_and_described(once):
    built = once(run=run_once)
    assert [(v.name, v.status, v.reason) for v in built.variants] == [(name, "ok", "") for name in NAMES]
    for variant in built.variants:
        source = models.tflite(variant.name)
        assert variant.path.read_bytes() == source.read_bytes()
        assert (variant.sha256, variant.size_bytes) == (file_sha256(source), source.stat().st_size)
        facts = artifact.inspect(source)
        assert (variant.inputs, variant.outputs) == (facts.inputs, facts.outputs)
    assert built.made == (MODEL, BASELINE, *(f"building {name}" for name in NAMES))


def test_the_baseline_is_the_models_answers_over_the_test_set(once, data):
    (scores,) = once("float32").baseline
    wanted = models.dense_8(data.test_inputs[0].astype(np.float64) / 255)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    assert scores.shape == (500, 10)


def test_calibration_takes_training_images_only_as_the_model_takes_them(calls, once, data):
    once("int8")
    ((_, _, (feed,), (stored,), _, _),) = [args for name, args in calls.seen if name == "convert"]
    known = {image.tobytes() for image in data.train_inputs[0]}
    assert len(stored) == 500
    assert {image.tobytes() for image in stored} <= known
    (sample, *_) = variants.samples((feed,), (stored,))
    assert isinstance(sample, list)
    assert (sample[0].dtype, sample[0].shape) == (np.float32, (1, 28, 28))
    assert (sample[0].min(), sample[0].max()) == (0, 1)


def test_it_is_said_what_takes_long(calls, data, tmp_path):
    said: list[str] = []
    asked = builtin("digits", None, ("float32",), plan_of("none"))
    built = build(asked, data, Cache(tmp_path), said.append)
    assert said == [MODEL, BASELINE, "building float32"]
    assert built.made == tuple(said)
    said.clear()
    build(asked, data, Cache(tmp_path), said.append)
    assert len(said) == 1
    assert said[0].startswith("nothing to build")


# --- what is not built again ---------------------------------------------------------------------------------------


def test_a_second_build_calls_nothing_and_gives_the_same(calls, once):
    first = once()
    calls.seen.clear()
    second = once()
    assert calls.seen == []
    assert second.made == ()
    assert second.variants == first.variants
    assert np.array_equal(second.baseline[0], first.baseline[0])


def test_a_new_variant_is_built_alone(calls, once):
    once("float32")
    assert once("float32", "int8").made == ("building int8",)


def test_fresh_builds_everything_again(calls, once):
    once("int8")
    assert once("int8", fresh=True).made == (MODEL, BASELINE, "building int8")


def test_another_seed_builds_everything_again(calls, once):
    once("int8")
    assert once("int8", seed=1).made == (MODEL, BASELINE, "building int8")


def test_another_seed_takes_other_calibration_samples_though_the_model_is_the_same(calls, once):
    def the_same(workload_name: str, data: Dataset, seed: int, path: Path) -> None:
        path.write_text("trained elsewhere")

    calls.put("train_to", the_same)
    once("int8")
    again = once("int8", seed=1)
    assert again.made == (MODEL, "building int8")  # the baseline's test set is the same
    assert again.variants[0].status == "ok"  # compared with Keras' answers to the same samples


def test_other_training_data_build_everything_again(calls, once, data):
    once("int8")
    (images,) = data.train_inputs
    other = dataclasses.replace(data, train_inputs=(images[::-1].copy(),), train_labels=data.train_labels[::-1].copy())
    assert once("int8", data=other).made == (MODEL, BASELINE, "building int8")


def test_another_test_set_needs_another_baseline_alone(calls, once, data):
    once("int8")
    other = dataclasses.replace(data, test_inputs=(data.test_inputs[0][:100],), test_labels=data.test_labels[:100])
    built = once("int8", data=other)
    assert built.made == (BASELINE,)
    assert built.baseline[0].shape == (100, 10)


@pytest.mark.parametrize(
    ("module", "rebuilt"),
    [
        (variants, ("building float32", "building int8")),
        (artifact, ("building float32", "building int8")),
        (baseline, (BASELINE,)),
    ],
)
def test_changed_code_rebuilds_what_it_makes(calls, once, monkeypatch, module, rebuilt):
    once("float32", "int8")
    real = cache.code_of
    monkeypatch.setattr(cache, "code_of", lambda *m: real(*m) + ("changed" if module in m else ""))
    assert once("float32", "int8").made == rebuilt


def test_another_tensorflow_builds_everything_again(calls, once, monkeypatch):
    once("int8")
    monkeypatch.setattr(original, "version", lambda distribution: "99.0")
    assert once("int8").made == (MODEL, BASELINE, "building int8")


def test_another_runtime_checks_again_but_does_not_train_again(calls, once, monkeypatch):
    once("int8")
    real = original.version
    monkeypatch.setattr(original, "version", lambda name: "99.0" if name == "ai-edge-litert" else real(name))
    assert once("int8").made == (BASELINE, "building int8")


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_full_disk_is_no_failed_conversion(once, monkeypatch):
    """It ends the run, which can be gone on with: a row that failed would stay so."""

    def full(result: object, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "check.json"))

    monkeypatch.setattr(builder, "write_result", full)
    with pytest.raises(DiskError, match=r"check\.json: No space left on device"):
        once("float32")


def test_a_conversion_that_raises_is_a_row_and_the_others_go_on(calls, once):
    calls.put("convert", models.convert_in_trouble)
    rows = once("float32", "float16", "dynamic_range").variants
    assert [v.status for v in rows] == ["ok", "failed", "ok"]
    assert rows[1].reason == "conversion failed: no kernel for float16"  # the first line of it
    assert (rows[1].path, rows[1].size_bytes) == (None, None)


def test_a_failed_conversion_is_tried_again_the_next_time(calls, once):
    calls.put("convert", models.convert_in_trouble)
    once("float16")
    calls.put("convert", models.convert)
    assert once("float16").variants[0].status == "ok"


def test_a_conversion_that_aborts_its_process_is_a_row_and_the_others_go_on(calls, once, tmp_path):
    """With a real process: the converter takes it down, and the next variant gets a new one."""
    calls.put("convert", models.convert_in_trouble)
    with ChildProcess(tmp_path / "log", BuildError, "TensorFlow") as calls.process:
        rows = once("dynamic_range", "int8", "int8_float_io").variants
    assert [(v.name, v.status) for v in rows] == [("dynamic_range", "ok"), ("int8", "failed"), ("int8_float_io", "ok")]
    assert rows[1].reason.startswith("conversion failed: TensorFlow crashed its process; see the log at ")


@pytest.mark.parametrize(
    ("name", "file", "fault"),
    [
        ("float32", "weightless", "it holds 2 weights"),
        ("int8_float_io", "dynamic_range", "none of its ops computes in int8"),
        ("int8", "float_fallback", "some of its ops compute in float32"),
        ("int8", "int8_float_io", "is float32, not int8"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_refused_by_name_of_the_fault(calls, once, name, file, fault):
    converting(calls, **{name: file})
    refused, sound = once(name, "float16").variants[:: 1 if name == "float32" else -1]
    assert (refused.name, refused.status, refused.path) == (name, "failed", None)
    assert refused.reason.startswith("refused: ")
    assert fault in refused.reason
    assert sound.status == "ok"


def test_a_refused_file_is_not_converted_again(calls, once):
    converting(calls, float32="weightless")
    first = once("float32").variants
    calls.seen.clear()
    assert once("float32").variants == first
    assert calls.seen == []


def test_low_agreement_is_suspect_told_by_its_share_and_kept(calls, once, data):
    converting(calls, float32="untrained")
    (variant,) = once("float32", run=run_once).variants
    assert variant.status == "suspect"
    assert variant.path.read_bytes() == models.tflite("untrained").read_bytes()
    stored = calibration_samples(data, 500, builtin("digits", None, (), plan_of("none")).seed)
    (images,) = model_inputs(data, stored)
    (answers,) = run_once(variant.path, stored, data.affines)
    share = sum(a.argmax() == b.argmax() for a, b in zip(answers, models.dense_8(images), strict=True)) / 500
    assert variant.reason == f"agrees with Keras on {100 * share:.1f}% of 500 calibration samples"


def test_a_file_that_no_runtime_can_run_is_failed(once):
    def cannot(*_: object) -> NoReturn:
        raise BuildError("ai-edge-litert cannot run it: no kernel", "try another recipe")

    (variant,) = once("float32", run=cannot).variants
    assert (variant.status, variant.reason) == ("failed", "ai-edge-litert cannot run it: no kernel; try another recipe")


def test_what_the_runtime_refuses_is_told_in_its_words():
    wrong = (np.zeros((1, 27, 27), np.uint8),)
    with pytest.raises(BuildError, match="ai-edge-litert cannot run it: ValueError: cannot reshape"):
        run_once(models.tflite("float32"), wrong, [Affine()])


def test_a_crash_of_the_runtime_is_told_with_its_exit_code(tmp_path, monkeypatch):
    code = tmp_path / "crash.py"
    code.write_text("import os; os.abort()")
    monkeypatch.setattr(runner, "install", lambda folder: code)
    with pytest.raises(BuildError, match="crashes ai-edge-litert with exit code -6"):
        run_once(models.tflite("float32"), (np.zeros((1, 28, 28), np.uint8),), [Affine()])


def test_without_a_baseline_nothing_can_be_compared(calls, once):
    def fail(*_: object) -> None:
        raise BuildError("the training diverged", "lower the rate")

    calls.put("train_to", fail)
    with pytest.raises(BuildError, match="the training diverged"):
        once("float32")


# --- the check by running ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_runs_once_answers_nearly_as_numpy_does(name, data):
    stored = (data.test_inputs[0][:50],)
    (answers,) = run_once(models.tflite(name), stored, [Affine(scale=1 / 255)])
    wanted = models.dense_8(stored[0].astype(np.float64) / 255)
    tolerance = 1e-5 if name == "float32" else 0.1
    assert answers.dtype == np.float32
    assert np.abs(answers - wanted).max() < tolerance


def test_what_the_cache_holds_of_a_variant_is_plain(calls, once, tmp_path):
    once("int8")
    (folder,) = (tmp_path / "cache" / "variants").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["check.json", "model.tflite", "sha256.json"]
    assert json.loads((folder / "check.json").read_text()) == {
        "status": "ok", "reason": "", "feeds": [], "yields": [], "shapes": [],
        "sha256": file_sha256(models.tflite("int8")),
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"another", None, models.tflite("int8").read_bytes()])
def test_a_file_in_the_cache_that_is_not_what_was_checked_is_built_again(calls, once, tmp_path, content):
    first = once("float32").variants
    (folder,) = (tmp_path / "cache" / "variants").iterdir()
    (folder / "model.tflite").unlink()
    if content is not None:
        (folder / "model.tflite").write_bytes(content)
    again = once("float32")
    assert again.made == ("building float32",)
    assert again.variants == first
    assert again.variants[0].path.read_bytes() == models.tflite("float32").read_bytes()


def test_a_cached_check_that_cannot_be_read_is_made_again(calls, once, tmp_path):
    once("float32")
    (folder,) = (tmp_path / "cache" / "variants").iterdir()
    (folder / "check.json").write_text("{")
    assert once("float32").variants[0].status == "ok"


# --- variants that cannot exist --------------------------------------------------------------------------------------


def test_a_variant_that_no_tensor_is_large_enough_for_is_unsupported(calls, once, monkeypatch):
    """The hidden layer of tests/models has 6,272 weights; a quantiser that asked for more would leave them all."""
    large = dataclasses.replace(variants.recipe("dynamic_range").expectation, smallest=6_273)
    recipe = dataclasses.replace(variants.recipe("dynamic_range"), expectation=large)
    monkeypatch.setitem(variants.RECIPES, "dynamic_range", recipe)
    converting(calls, dynamic_range="float32")
    (none,) = once("dynamic_range").variants
    reason = "none of its weight tensors has 6,273 values or more, and TensorFlow quantises no smaller ones"
    assert (none.status, none.reason, none.path, none.sha256) == ("unsupported", reason, None, "")
    assert once("dynamic_range").variants == (none,)


def test_a_large_tensor_that_was_left_as_it_was_is_a_failure(calls, once):
    converting(calls, dynamic_range="float32")
    (refused,) = once("dynamic_range").variants
    assert refused.status == "failed"
    assert "only 0 of its 6370 weights are int8" in refused.reason
