"""Models of every kind through a real build: the baseline is what numpy makes of their weights, and so are variants."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.build.builder import Built, build
from harness.build.keras_process import KerasProcess
from harness.build.models import describe
from harness.build.models.feed import feeds_of
from harness.build.models.model_source import call
from harness.build.models.predictions import PLAIN
from harness.build.variants import convert, recipe
from harness.build.variants import quantizer as quantizer  # importing it registers its recipes
from harness.errors import BuildError, ConfigError, DataError
from harness.experiment.plans import PLANS
from harness.measure.once import run_once
from harness.records import Affine, Dataset, Experiment, ModelSource, Scoring, Variant
from harness.records.terms import ModelKind
from harness.support.cache import Cache
from harness.support.functions import FunctionRef
from tests import made_models

pytestmark = pytest.mark.slow
random = np.random.default_rng(5)
COUNT = 70  # no multiple of any batch
PICTURES = random.integers(0, 256, (COUNT, *made_models.PIXELS)).astype(np.uint8)
TOKENS = random.integers(0, made_models.TOKENS, (COUNT, 6))
SCORES, AGES = made_models.two_inputs_by_numpy(PICTURES / 255, TOKENS)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KerasProcess]:
    with KerasProcess(tmp_path_factory.mktemp("keras") / "tensorflow.log") as keras:
        yield keras


@pytest.fixture(scope="module")
def made(process: KerasProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two-input model, saved in every way."""
    folder = tmp_path_factory.mktemp("models")
    process.call(made_models.write_two_inputs, folder)
    return folder


def two_inputs() -> Dataset:
    """In the order that is not the model's."""
    inputs, affines = (TOKENS, PICTURES), (Affine(), Affine(scale=1 / 255))
    labels = SCORES.argmax(axis=1)
    return Dataset("two", inputs, labels, inputs, labels, affines, ("a", "b", "c"), "made here", ("tokens", "picture"))


def one_input(array: np.ndarray) -> Dataset:
    return Dataset("one", (array,), None, (array,), None, (Affine(),), (), "made here")


def asked(source: Path | ModelSource, *variants: str, **changes: Any) -> Experiment:
    kind: ModelKind = "saved_model" if isinstance(source, Path) and source.is_dir() else "file"
    model = source if isinstance(source, ModelSource) else ModelSource(kind, str(source))
    return Experiment("e", two_inputs, model, variants, PLANS["none"], **changes)


def answers(variant: Variant, data: Dataset) -> list[np.ndarray]:
    """The file's outputs in the model's order, fed as a device would be."""
    feeds = variant.feeds or range(len(data.test_inputs))
    stored = tuple(data.test_inputs[n] for n in feeds)
    given = run_once(variant.path, stored, [data.affines[n] for n in feeds])
    return [given[n] for n in variant.yields or range(len(given))]


@pytest.fixture
def built(process: KerasProcess) -> Callable[[Experiment, Dataset, Path], Built]:
    """Builds in the one TensorFlow process that all tests of this file share."""

    def made_of(experiment: Experiment, data: Dataset, folder: Path) -> Built:
        return build(experiment, data, Cache(folder / "cache"), lambda text: None, lambda log: nullcontext(process))

    return made_of


# --- several inputs and outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("list.keras", ("zscores", "age")),
        ("dict.keras", ("age", "zscores")),
        ("exported", ("output_0", "output_1")),
        ("saved", ("age", "zscores")),
    ],
)
def test_two_inputs_by_name_two_outputs_in_the_models_order(made, tmp_path, name, outputs, built):
    data, scored = two_inputs(), Scoring(output="output_0" if name == "exported" else "zscores")
    found = built(asked(made / name, "float32", "int8", scoring=scored), data, tmp_path)
    assert found.output_names == outputs
    wanted = (AGES, SCORES) if outputs[0] == "age" else (SCORES, AGES)
    for given, expected in zip(found.baseline, wanted, strict=True):
        assert (given.dtype, given.shape) == (np.float32, expected.shape)
        np.testing.assert_allclose(given, expected, atol=1e-5)
    control, int8 = found.variants
    assert [(v.status, v.reason) for v in found.variants] == [("ok", "")] * 2
    for given, expected in zip(answers(control, data), wanted, strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-5)
    for given, expected in zip(answers(int8, data), wanted, strict=True):
        assert np.corrcoef(given.ravel(), expected.ravel())[0, 1] > 0.99
    assert {t.dtype for t in int8.inputs} == {"int8", "int32"}  # token ids stay what they are


def test_a_fixed_batch_answers_for_the_baseline_and_cannot_be_converted(made, tmp_path, built):
    found = built(asked(made / "saved_at_4", "float32", scoring=Scoring(output="zscores")), two_inputs(), tmp_path)
    np.testing.assert_allclose(found.baseline[1], SCORES, atol=1e-5)  # the last batch of 4 holds 2 samples
    assert found.variants[0].status == "failed"
    assert "only takes a batch of 4" in found.variants[0].reason


def test_wrong_names_are_told_before_anything_runs(made, tmp_path, built):
    data = dataclasses.replace(two_inputs(), input_names=("tokens", "image"))
    with pytest.raises(DataError, match="data's inputs are tokens, image; the model's are picture, tokens"):
        built(asked(made / "list.keras", "float32"), data, tmp_path)


def test_open_sizes_are_the_datas(process, tmp_path, built):
    process.call(made_models.write_any_size, tmp_path / "any.keras")
    images = random.random((9, 5, 7, 3), dtype=np.float32)
    found = built(asked(tmp_path / "any.keras", "float32"), one_input(images), tmp_path)
    np.testing.assert_allclose(found.baseline[0], 2 * images.mean(axis=(1, 2)), atol=1e-6)
    assert found.variants[0].inputs[0].shape == (1, 5, 7, 3)
    assert found.variants[0].status == "ok"


# --- files that were converted elsewhere ---------------------------------------------------------------------------


def test_quantised_bytes_in_and_out_are_understood(own, tmp_path, built):
    """uint8 with a scale, as published files have it: made by a recipe here, then imported beside the model."""
    (module,) = own.glob("own_*.py")
    recipes = {"unsigned": FunctionRef(f"{module.stem}:unsigned", own)}
    first = built(asked(function(own, "plain"), "unsigned", recipes=recipes), one_input(X), tmp_path)
    (unsigned,) = first.variants
    assert {t.dtype for t in (*unsigned.inputs, *unsigned.outputs)} == {"uint8"}
    data = one_input(X)
    found = built(asked(function(own, "plain"), imports={"published": unsigned.path}), data, tmp_path).variants[0]
    assert (found.recipe, found.status, found.reason) == ("import", "ok", "")
    np.testing.assert_allclose(answers(found, data)[0], X @ [[1], [2]], atol=0.03)  # steps of 3/255


def test_bytes_without_a_scale_are_passed_as_they_are_stored(process, tmp_path, built):
    process.call(made_models.write_bytes_model, tmp_path / "bytes.keras")
    stored = random.integers(0, 256, (9, 4)).astype(np.uint8)
    data = one_input(stored)
    first = built(asked(tmp_path / "bytes.keras", "float32"), data, tmp_path)
    np.testing.assert_allclose(first.baseline[0], 2.0 * stored - 1)
    (control,) = first.variants
    assert (control.status, control.reason, control.inputs[0].dtype) == ("ok", "", "uint8")
    again = built(asked(tmp_path / "bytes.keras", imports={"there": control.path}), data, tmp_path).variants[0]
    np.testing.assert_allclose(answers(again, data)[0], 2.0 * stored - 1)


def test_a_model_without_a_large_tensor_has_no_dynamic_range(own, tmp_path, built):
    control, none = built(asked(function(own, "plain"), "float32", "dynamic_range"), one_input(X), tmp_path).variants
    assert (control.status, none.status, none.path) == ("ok", "unsupported", None)
    assert none.reason.startswith("none of its weight tensors has 1,024 values or more")


def test_a_keras_file_that_was_cut_short_is_told(made, tmp_path, built):
    whole = (made / "list.keras").read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 8]) + whole[middle + 8 :]
    for content in (whole[:-100], b"no model", b"", flipped):
        (tmp_path / "cut.keras").write_bytes(content)
        with pytest.raises(BuildError, match=r"cut\.keras is not a \.keras file, or is cut short") as caught:
            built(asked(tmp_path / "cut.keras", "float32"), two_inputs(), tmp_path)
        assert caught.value.advice == "copy or save it again"


def test_what_scales_at_the_input_is_told_from_what_normalises_later(process):
    assert process.call(made_models.scaling) == {
        "nothing": False, "rescaling": True, "nested": True, "normalisation": True, "written": True, "lambda": True,
        "batch normalisation first": True, "batch normalisation later": False, "layer normalisation last": False,
    }  # fmt: skip


# --- state, batches and bytes --------------------------------------------------------------------------------------


FRAMES = random.normal(size=(12, 4, 3)).astype(np.float32)


def test_every_answer_and_the_file_begin_with_the_initial_state(process, tmp_path, built):
    process.call(made_models.write_stateful, tmp_path / "gru.keras")
    wanted = process.call(made_models.stateless_answers, tmp_path / "gru.keras", FRAMES)
    found = built(asked(tmp_path / "gru.keras", "float32"), one_input(FRAMES), tmp_path)
    np.testing.assert_allclose(found.baseline[0], wanted, atol=1e-5)
    assert any("keeps state from one sample to the next" in str(remark) for remark in found.remarks)
    for n in (0, 7):  # one sample an interpreter
        (given,) = run_once(found.variants[0].path, (FRAMES[n : n + 1],), [Affine()])
        np.testing.assert_allclose(given, wanted[n : n + 1], atol=1e-5)


def test_state_is_carried_through_a_clip_as_through_one_long_sample(process, tmp_path, built):
    """A GRU over four steps a sample, asked sample by sample of a clip, is a GRU over all steps of the clip."""
    process.call(made_models.write_stateful, tmp_path / "gru.keras")
    clips = np.repeat(np.arange(4, dtype=np.int32), (1, 6, 4, 1))
    data = dataclasses.replace(one_input(FRAMES), clips=clips, groups=clips)
    wanted = process.call(made_models.carried_answers, tmp_path / "gru.keras", FRAMES, clips)
    found = built(asked(tmp_path / "gru.keras", "float32"), data, tmp_path)
    np.testing.assert_allclose(found.baseline[0], wanted, atol=1e-5)
    assert found.variants[0].status == "ok"
    (given,) = run_once(found.variants[0].path, (FRAMES,), [Affine()], data.starts)
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    assert any("every clip begins with the initial state" in str(remark) for remark in found.remarks)


def test_two_states_fed_back_through_a_clip_are_keras_own_layer_over_it(process, tmp_path, built):
    process.call(made_models.write_fed_back, tmp_path / "cell.keras")
    clips, frames = np.repeat(np.arange(3, dtype=np.int32), (1, 8, 3)), FRAMES[:, 0]
    data = dataclasses.replace(one_input(frames), clips=clips, groups=clips, train_clips=clips)
    wanted = process.call(made_models.answers_to_clips, tmp_path / "whole.keras", frames, clips)
    asked_so = asked(tmp_path / "cell.keras", "float32", "int8", scoring=Scoring(output="scores"))
    asked_so = dataclasses.replace(asked_so, state={"h_next": "h", "c_next": "c"})
    found = built(asked_so, data, tmp_path)
    np.testing.assert_allclose(found.baseline[found.output_names.index("scores")], wanted, atol=1e-5)
    for variant, near in zip(found.variants, (1e-5, 0.1), strict=True):
        stored = [found.dataset.test_inputs[n] for n in variant.feeds or range(3)]
        pairs = [each.in_file(variant.feeds, variant.yields) for each in found.dataset.state]
        given = run_once(variant.path, tuple(stored), [Affine()] * 3, data.starts, pairs)
        scores = given[variant.yields[2] if variant.yields else 2]
        assert variant.status == "ok" and np.abs(scores - wanted).max() < near
    hidden = next(t for t in found.variants[1].inputs if t.name.endswith("_h:0") or "_h" in t.name)
    assert hidden.scale > 1e-3  # calibration saw real states: zeros alone would have left none


def test_one_key_has_the_same_bytes_whatever_was_built_before(process, made, tmp_path, built):
    process.call(made_models.write_stateful, tmp_path / "gru.keras")
    orders = (("float32", "float16", "int8"), ("int8", "float16", "float32"))
    for path, data in ((tmp_path / "gru.keras", one_input(FRAMES)), (made / "dict.keras", two_inputs())):
        scored = Scoring(output="zscores" if path.name == "dict.keras" else "")
        seen = []
        for n, order in enumerate(orders):
            found = built(asked(path, *order, scoring=scored), data, tmp_path / f"{path.stem}{n}")
            seen.append({v.name: v.sha256 for v in found.variants})
        assert seen[0] == seen[1]
        assert seen[0]["float32"]
    assert seen[0]["int8"]  # of the last model


def test_a_file_does_not_depend_on_where_in_memory_its_states_lay(process, tmp_path, built):
    process.call(made_models.write_four_states, tmp_path / "lstm.keras")
    experiment = asked(tmp_path / "lstm.keras", "float32")
    hashes = [built(experiment, one_input(FRAMES), tmp_path / str(n)).variants[0].sha256 for n in range(3)]
    assert hashes == [hashes[0]] * 3


def test_a_model_that_never_answers_is_given_up(tmp_path):
    with KerasProcess(tmp_path / "tensorflow.log") as own:
        own.call(made_models.write_endless, tmp_path / "endless")
        ends, never = (np.full((4, 1), x, np.float32) for x in (-1, 1))
        feeds = feeds_of(own.call(describe, tmp_path / "endless").inputs, one_input(ends))
        assert own.call(made_models.habits_in_little_time, tmp_path / "endless", feeds, (ends,)) == PLAIN
        with pytest.raises(BuildError, match="TensorFlow has no answer for 5 s") as caught:
            own.call(made_models.habits_in_little_time, tmp_path / "endless", feeds, (never,))
    assert "loop" in caught.value.advice


def test_a_model_that_looks_at_its_batch_is_answered_at_batch_1(process, tmp_path, built):
    process.call(made_models.write_batch_max, tmp_path / "max.keras")
    x = random.uniform(0.1, 9, (COUNT, 4)).astype(np.float32)
    found = built(asked(tmp_path / "max.keras", "float32"), one_input(x), tmp_path)
    alone = (x / x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True).repeat(2, axis=1)
    np.testing.assert_allclose(found.baseline[0], alone, rtol=1e-5)
    assert found.variants[0].status == "ok"
    assert any("depends on the others of its batch" in str(remark) for remark in found.remarks)


# --- which output is which -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heads(process: KerasProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    process.call(made_models.write_heads, folder)
    return folder


SIX = random.normal(size=(40, 6)).astype(np.float32)


def test_outputs_that_a_file_only_counts_are_matched_by_their_answers(heads, tmp_path, built):
    found = built(asked(heads / "saved", imports={"vendor": heads / "vendor.tflite"}), one_input(SIX), tmp_path)
    assert found.output_names == ("aux", "main")
    (vendor,) = found.variants
    assert (vendor.status, vendor.reason) == ("ok", "")
    for given, expected in zip(answers(vendor, one_input(SIX)), found.baseline, strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-5)


def test_labels_that_could_be_of_either_output_are_asked_about(heads, tmp_path, built):
    labels = np.arange(40) % 4
    data = dataclasses.replace(one_input(SIX), test_labels=labels, class_names=("a", "b", "c", "d"))
    with pytest.raises(ConfigError, match=r"outputs 'aux', 'main', in the order of their names") as caught:
        built(asked(heads / "saved"), data, tmp_path)
    assert 'output = "main"' in caught.value.advice
    assert built(asked(heads / "saved", scoring=Scoring(output="main")), data, tmp_path).output_names[1] == "main"


@pytest.mark.parametrize("name", ["twins", "passing"])
def test_outputs_that_are_one_tensor_or_an_input(heads, tmp_path, name, built):
    found = built(asked(heads / f"{name}.keras", "float32"), one_input(SIX), tmp_path)
    (control,) = found.variants
    assert (control.status, control.reason) == ("ok", "")
    for given, expected in zip(answers(control, one_input(SIX)), found.baseline, strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-5)


def test_a_subclassed_model_keeps_the_names_of_its_inputs(tmp_path, built):
    made_models.subclassed(tmp_path)
    zenith, azimuth = (random.normal(size=(20, 2)).astype(np.float32) for _ in range(2))
    inputs = (azimuth, zenith)
    affines = (Affine(), Affine())
    data = Dataset("two", inputs, None, inputs, None, affines, (), "made here", ("azimuth", "zenith"))
    found = built(asked(ModelSource("function", "sub_model:make", tmp_path), "float32"), data, tmp_path)
    wanted = zenith.sum(axis=1) - 2 * azimuth.sum(axis=1)
    np.testing.assert_allclose(found.baseline[0][:, 0], wanted, atol=1e-5)
    assert (found.output_names, found.variants[0].status) == (("verdict",), "ok")
    np.testing.assert_allclose(answers(found.variants[0], data)[0][:, 0], wanted, atol=1e-5)


# --- shapes, dtypes and kinds that were refused ----------------------------------------------------------------------


def test_an_input_without_a_batch_axis_and_a_scalar(process, tmp_path, built):
    process.call(made_models.write_waveform, tmp_path / "wave")
    gain, wave = random.normal(size=20).astype(np.float32), random.normal(size=(20, 8)).astype(np.float32)
    affines = (Affine(), Affine())
    data = Dataset("w", (gain, wave), None, (gain, wave), None, affines, (), "made here", ("gain", "wave"))
    found = built(asked(tmp_path / "wave", "float32"), data, tmp_path)
    ends = gain[:, None] * wave[:, [0, -1]]
    rows = wave.reshape(20, 4, 2) + gain[:, None, None]
    for given, wanted in zip(found.baseline, (ends, rows), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-6)
    assert (found.variants[0].status, found.variants[0].reason) == ("ok", "")
    for given, wanted in zip(answers(found.variants[0], data), (ends, rows), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-6)


def test_an_input_may_be_called_y(process, tmp_path, built):
    process.call(made_models.write_named_y, tmp_path / "y")
    x, y = (random.normal(size=(20, 2)).astype(np.float32) for _ in range(2))
    data = Dataset("w", (x, y), None, (x, y), None, (Affine(), Affine()), (), "made here", ("x", "y"))
    found = built(asked(tmp_path / "y", "float32"), data, tmp_path)
    np.testing.assert_allclose(answers(found.variants[0], data)[0], x - 3 * y, atol=1e-5)


def test_normalisation_that_is_folded_into_a_small_layer_is_no_loss(process, tmp_path, built):
    process.call(made_models.write_normalised_line, tmp_path / "line.keras")
    x = random.normal(size=(COUNT, 60)).astype(np.float32)
    found = built(asked(tmp_path / "line.keras", "float32", "float16"), one_input(x), tmp_path)
    assert [(v.status, v.reason) for v in found.variants] == [("ok", "")] * 2
    np.testing.assert_allclose(answers(found.variants[0], one_input(x))[0], found.baseline[0], atol=1e-5)


def test_bytes_that_are_cast_inside_may_be_int8_after_that(process, tmp_path, built):
    process.call(made_models.write_camera, tmp_path / "camera.keras")
    data = one_input(random.integers(0, 256, (COUNT, 8, 8, 1)).astype(np.uint8))
    found = built(asked(tmp_path / "camera.keras", "int8", "int16x8"), data, tmp_path)
    assert [v.status for v in found.variants] == ["ok", "unsupported"]
    assert found.variants[1].reason == "TensorFlow's converter has no 16x8-bit form of the op CAST"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_of_16_bits_is_converted_under_float32_with_its_weights(process, tmp_path, policy, built):
    process.call(made_models.write_half, tmp_path / "half.keras", policy)
    data = one_input(random.normal(size=(20, 6, 6, 1)).astype(np.float32))
    found = built(asked(tmp_path / "half.keras", "float32"), data, tmp_path)
    assert (found.variants[0].status, found.variants[0].reason) == ("ok", "")
    assert any(policy in str(remark) for remark in found.remarks)
    largest = np.abs(found.baseline[0]).max()
    np.testing.assert_allclose(answers(found.variants[0], data)[0], found.baseline[0], atol=0.02 * largest)


def test_int8_of_a_recurrent_layer_is_refused_beforehand_and_unrolled_it_is_built(process, tmp_path, built):
    process.call(made_models.write_lstm, tmp_path / "lstm.keras")
    data = one_input(np.random.default_rng(0).normal(size=(60, 5, 3)).astype(np.float32))
    found = built(asked(tmp_path / "lstm.keras", "float32", "int8", "int8_unrolled"), data, tmp_path)
    assert [v.status for v in found.variants] == ["ok", "unsupported", "ok"], found.variants[2].reason
    assert "calibrates a loop" in found.variants[1].reason
    assert "int8_unrolled" in found.variants[1].reason
    assert np.corrcoef(answers(found.variants[2], data)[0].ravel(), found.baseline[0].ravel())[0, 1] > 0.99


def test_the_same_build_gives_the_same_bytes_whatever_was_built_before(process, tmp_path):
    path, steps = tmp_path / "lstm.keras", np.random.default_rng(0).normal(size=(60, 5, 3)).astype(np.float32)
    process.call(made_models.write_lstm, path)
    feeds = feeds_of(process.call(describe, path).inputs, one_input(steps))
    files: dict[str, set[bytes]] = {}
    for name in ("int8_unrolled", "float32", "int8_unrolled", "int8_unrolled", "float32", "int8_unrolled"):
        process.call(convert, path, recipe(name), feeds, (steps,), made := tmp_path / "made.tflite")
        files.setdefault(name, set()).add(made.read_bytes())
    assert [len(different) for different in files.values()] == [1, 1]


def test_a_loop_that_was_exported_for_any_batch_is_converted_for_one(process, tmp_path, built):
    process.call(made_models.write_exported_lstm, tmp_path / "exported")
    found = built(asked(tmp_path / "exported", "float32"), one_input(FRAMES), tmp_path)
    assert (found.variants[0].status, found.variants[0].reason) == ("ok", "")
    np.testing.assert_allclose(answers(found.variants[0], one_input(FRAMES))[0], found.baseline[0], atol=1e-5)


def test_state_is_left_in_float32_where_that_is_allowed(process, tmp_path, built):
    process.call(made_models.write_four_states, tmp_path / "lstm.keras")
    found = built(asked(tmp_path / "lstm.keras", "int8", "int8_unrolled", "int8_or_float"), one_input(FRAMES), tmp_path)
    assert [v.status for v in found.variants] == ["unsupported", "unsupported", "ok"]
    assert all("int8_or_float leaves it so" in v.reason for v in found.variants[:2])


def test_int8_where_it_can_and_float_where_it_must(process, tmp_path, built):
    process.call(made_models.write_camera, tmp_path / "camera.keras")
    data = one_input(random.integers(0, 256, (COUNT, 8, 8, 1)).astype(np.uint8))
    (partly,) = built(asked(tmp_path / "camera.keras", "int8_or_float"), data, tmp_path).variants
    assert (partly.status, partly.reason) == ("ok", "")
    assert [t.dtype for t in partly.outputs] == ["float32"]


def test_a_model_trained_with_quantisation_inside_has_no_float_variants(process, tmp_path, built):
    process.call(made_models.write_fake_quantised, tmp_path / "qat")
    data = one_input(random.normal(size=(60, 40)).astype(np.float32))
    names = ("float32", "float16", "dynamic_range", "int8")
    found = {v.name: v for v in built(asked(tmp_path / "qat", *names), data, tmp_path).variants}
    assert {name: v.status for name, v in found.items()} == {
        "float32": "ok", "float16": "unsupported", "dynamic_range": "unsupported", "int8": "ok",
    }  # fmt: skip
    assert "trained with quantisation inside" in found["float16"].reason


def test_a_model_that_keras_quantised_says_so(process, tmp_path, built):
    process.call(made_models.write_quantised_by_keras, tmp_path / "q.keras")
    data = one_input(np.ones((4, 8), np.float32))
    (refused,) = built(asked(tmp_path / "q.keras", "float32"), data, tmp_path).variants
    assert refused.status == "failed"
    assert "before quantize()" in refused.reason


def test_a_saved_model_with_an_optimiser_of_keras_2_is_read_without_it(process, made, tmp_path, built):
    folder = tmp_path / "old"
    shutil.copytree(made / "saved", folder)
    process.call(made_models.add_slot, folder)
    data = two_inputs()
    found = built(asked(folder, "float32", scoring=Scoring(output="zscores")), data, tmp_path)
    for given, expected in zip(found.baseline, (AGES, SCORES), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-5)
    assert (found.variants[0].status, found.variants[0].reason) == ("ok", "")
    np.testing.assert_allclose(answers(found.variants[0], data)[1], SCORES, atol=1e-5)


def test_a_saved_model_of_tensorflow_1_with_reference_variables_is_converted(process, tmp_path, built):
    process.call(made_models.write_version_1, tmp_path / "v1")
    found = built(asked(tmp_path / "v1", "float32", "int8"), one_input(X), tmp_path)
    assert found.output_names == ("y",)
    np.testing.assert_allclose(found.baseline[0], X @ [[1], [2]], atol=1e-6)
    assert [(v.status, v.reason) for v in found.variants] == [("ok", ""), ("ok", "")]
    np.testing.assert_allclose(answers(found.variants[0], one_input(X))[0], X @ [[1], [2]], atol=1e-6)


# --- ops that are not built in -------------------------------------------------------------------------------------


def test_ops_that_tflite_lacks_are_named(process, tmp_path, built):
    process.call(made_models.write_determinant, tmp_path / "det")
    data = one_input(random.random((9, 4), dtype=np.float32))
    (refused,) = built(asked(tmp_path / "det", "float32"), data, tmp_path).variants
    assert refused.status == "failed"
    assert "MatrixDeterminant" in refused.reason
    assert "other operations" in refused.reason
    (allowed,) = built(asked(tmp_path / "det", "float32", select_ops=True), data, tmp_path).variants
    assert allowed.status == "failed"
    assert "MatrixDeterminant" in allowed.reason
    assert "no runtime here has" in allowed.reason
    assert Path(allowed.reason.partition("the file is ")[2]).read_bytes()[4:8] == b"TFL3"


# --- functions and recipes of the user's ---------------------------------------------------------------------------

OWN = """
import keras, numpy as np
from pathlib import Path

class Half(keras.layers.Layer):
    def call(self, x):
        return x / 2

def plain():
    activation = Path(__file__).with_name("activation.txt")
    activation = activation.read_text() if activation.exists() else None
    layer = keras.layers.Dense(1, activation, use_bias=False, name="scale")
    model = keras.Sequential([keras.Input((2,), name="x"), layer])
    layer.set_weights([np.load(Path(__file__).with_name("weights.npy"))])
    return model

def custom():
    x = keras.Input((2,), name="x")
    return keras.Model(x, Half(name="half")(x))

def path():
    return "there.keras"

def nothing():
    return 7

def failing():
    return {}["weights"]

def leaving():
    raise SystemExit(0)

def sixteen_bits(converter, calibration):
    import tensorflow as tf
    assert [sample[0].shape for sample in calibration()][0] == (1, 2)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]

def unsigned(converter, calibration):
    import tensorflow as tf
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8

def by_another_tool(converter, calibration):
    return converter.convert()

def broken(converter, calibration):
    return b"no model"
"""
X = random.random((9, 2), dtype=np.float32)


@pytest.fixture
def own(tmp_path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / f"own_{os.urandom(4).hex()}.py").write_text(OWN)  # the process keeps what it has imported
    np.save(folder / "weights.npy", np.array([[1], [2]], np.float32))
    return folder


def function(own: Path, name: str) -> ModelSource:
    (module,) = own.glob("own_*.py")
    return ModelSource("function", f"{module.stem}:{name}", own)


def test_a_function_is_asked_each_time_for_what_it_reads_may_change(own, tmp_path, built):
    first = built(asked(function(own, "plain"), "float32"), one_input(X), tmp_path)
    np.testing.assert_allclose(first.baseline[0], X @ [[1], [2]], atol=1e-6)
    again = built(asked(function(own, "plain"), "float32"), one_input(X), tmp_path)
    assert (again.made, again.model_sha256) == ((), first.model_sha256)
    np.save(own / "weights.npy", np.array([[5], [2]], np.float32))
    other = built(asked(function(own, "plain"), "float32"), one_input(X), tmp_path)
    assert other.model_sha256 != first.model_sha256
    np.testing.assert_allclose(other.baseline[0], X @ [[5], [2]], atol=1e-6)


def test_a_model_of_the_same_weights_is_another_where_it_computes_otherwise(own, tmp_path, built):
    first = built(asked(function(own, "plain"), "float32"), one_input(X - 0.5), tmp_path)
    (own / "activation.txt").write_text("relu")
    other = built(asked(function(own, "plain"), "float32"), one_input(X - 0.5), tmp_path)
    assert first.baseline[0].min() < 0
    np.testing.assert_allclose(other.baseline[0], np.maximum((X - 0.5) @ [[1], [2]], 0), atol=1e-6)


def test_the_code_of_a_layer_of_the_users_is_part_of_its_model(process, own, tmp_path):
    ref = FunctionRef(function(own, "custom").where, own)

    def found(name: str) -> str:
        (tmp_path / name).mkdir()
        return process.call(call, ref, 1, tmp_path / name)

    first = found("first")
    assert found("again") == first
    (module,) = own.glob("own_*.py")
    module.write_text(OWN.replace("x / 2", "x / 3"))
    assert found("other") != first


def test_the_code_of_an_activation_in_a_package_is_part_of_the_model(process, own, tmp_path):
    """One that a module imports by name too, so that no import statement gives it away."""
    (own / (name := f"lib_{os.urandom(4).hex()}")).mkdir()
    acts = own / name / "acts.py"
    acts.write_text("def act(x):\n    return x * 2\n")
    (own / f"{name}_model.py").write_text(f"""
import importlib, keras
def make():
    act = importlib.import_module("{name}.acts").act
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation=act, kernel_initializer="ones")])
""")
    ref = FunctionRef(f"{name}_model:make", own)

    def found(kept: str) -> str:
        (tmp_path / kept).mkdir()
        return process.call(call, ref, 1, tmp_path / kept)

    first = found("first")
    assert found("again") == first
    acts.write_text("def act(x):\n    return x * 3\n")
    assert found("other") != first


def test_a_model_with_code_of_its_own_is_kept_without_it(own, tmp_path, built):
    found = built(asked(function(own, "custom"), "float32"), one_input(X), tmp_path)
    assert {path.name for path in (tmp_path / "cache" / "models").glob("*/*")} == {"saved_model", "sha256.json"}
    np.testing.assert_allclose(found.baseline[0], X / 2)
    assert found.variants[0].status == "ok"


def test_a_function_may_return_a_path_or_is_told_what_it_may_return(own, tmp_path, built):
    with pytest.raises(BuildError, match="which does not exist"):
        built(asked(function(own, "path"), "float32"), one_input(X), tmp_path)
    with pytest.raises(BuildError, match="returned int, which is not a Keras model"):
        built(asked(function(own, "nothing"), "float32"), one_input(X), tmp_path)
    with pytest.raises(BuildError, match=r"own_.*:failing failed: KeyError: 'weights'"):
        built(asked(function(own, "failing"), "float32"), one_input(X), tmp_path)
    with pytest.raises(BuildError, match=r"own_.*:leaving failed: SystemExit: 0"):
        built(asked(function(own, "leaving"), "float32"), one_input(X), tmp_path)


def test_a_recipe_of_the_users_configures_or_finishes_the_file(own, tmp_path, built):
    (module,) = own.glob("own_*.py")
    names = ("sixteen_bits", "by_another_tool", "broken")
    recipes = {name: FunctionRef(f"{module.stem}:{name}", own) for name in names}
    experiment = asked(function(own, "plain"), *names, recipes=recipes)
    made = {v.name: v for v in built(experiment, one_input(X), tmp_path).variants}
    assert (made["sixteen_bits"].status, made["by_another_tool"].status) == ("ok", "ok")
    assert made["sixteen_bits"].recipe == f"{module.stem}:sixteen_bits"
    assert made["broken"].status == "failed"
    assert "not a TFLite file" in made["broken"].reason


# --- the extra quantizer -------------------------------------------------------------------------------------------


def test_ai_edge_quantizers_recipes_make_what_they_promise(made, tmp_path, built):
    names = ("aeq_dynamic_int8", "aeq_dynamic_int4", "aeq_static_int8")
    experiment = asked(made / "list.keras", *names, scoring=Scoring(output="zscores"))
    found = {v.name: v for v in built(experiment, two_inputs(), tmp_path).variants}
    assert {name: v.status for name, v in found.items() if "dynamic" in name} == dict.fromkeys(names[:2], "ok")
    static = found["aeq_static_int8"]  # its ranges are moving averages, which cut the extremes of so few samples
    assert {t.dtype for t in (*static.inputs, *static.outputs)} == {"int8", "int32"}
    for given, expected in zip(answers(static, two_inputs()), (SCORES, AGES), strict=True):
        assert np.corrcoef(given.ravel(), expected.ravel())[0, 1] > 0.8
