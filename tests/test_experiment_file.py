"""experiment.toml: what may stand in it, and how an error names the line and the nearest right word."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.data.kinds import DataSource
from harness.errors import ConfigError
from harness.experiment.experiment_file import read_experiment
from harness.experiment.plans import plan_of
from harness.experiment.resolve import restrict_variants
from harness.records import Detection, Keypoints, ModelSource

DOORBELL = """\
name = "doorbell"
[model]
source = "model.keras"
[data]
test = "test.npz"
calibration = "calibration.npz"
scale = 0.00392156862745098
labels = ["cat", "dog"]
[variants]
build = ["float32", "int8"]
import = { vendor_int8 = "vendor.tflite" }
[metrics]
primary = "balanced_accuracy"
[plan]
profile = "quick"
rounds = 4
"""


@pytest.fixture
def written(tmp_path):
    """Writes an experiment.toml beside the files that it names."""
    for name in ("model.keras", "model.h5", "test.npz", "calibration.npz", "vendor.tflite", "other.tflite"):
        (tmp_path / name).touch()
    (tmp_path / "saved").mkdir()

    def write(text: str) -> Path:
        (tmp_path / "experiment.toml").write_text(text)
        return tmp_path / "experiment.toml"

    return write


def test_a_whole_experiment(written, tmp_path):
    made = read_experiment(written(DOORBELL))
    assert (made.name, made.variants) == ("doorbell", ("float32", "int8"))
    assert made.model == ModelSource("file", str(tmp_path / "model.keras"))
    assert made.imports == {"vendor_int8": tmp_path / "vendor.tflite"}
    assert (made.plan.profile, made.plan.rounds) == ("quick", 4)
    assert (made.scoring.primary, made.baseline, made.select_ops) == ("balanced_accuracy", "keras", False)
    assert isinstance(made.load, partial)
    (source,) = made.load.args
    assert isinstance(source, DataSource)
    assert (source.test, source.scale, source.labels) == ("test.npz", 0.00392156862745098, ("cat", "dog"))
    assert source.folder == tmp_path


def test_each_head_has_metrics_and_labels_of_its_own(written):
    heads = '[heads.age]\nprimary = "mae"\n[heads.sex]\nothers = ["f1"]\nlabels = ["f", "m"]\n'
    made = read_experiment(written(DOORBELL + heads))
    assert {name: (of.primary, of.others, of.output) for name, of in made.heads.items()} == {
        "age": ("mae", (), "age"),
        "sex": (None, ("f1",), "sex"),
    }
    assert isinstance(made.load, partial)
    (source,) = made.load.args
    assert source.labels_by_output == {"sex": ("f", "m")}
    tables = '[heads.age.detection]\nscores = "s"\n[heads.sex.keypoints]\nsize = [4, 5]\n'
    tables += '[heads.name.transcription]\nalphabet = "ab"\n[heads.mask]\nignore = 255.0\n'
    deeper = read_experiment(written(DOORBELL + tables)).heads
    assert deeper["age"].detection == Detection(scores="s", folder=deeper["age"].folder)
    assert deeper["sex"].keypoints == Keypoints((4, 5), folder=deeper["sex"].folder) and deeper["mask"].ignore == 255
    assert deeper["name"].transcription is not None and deeper["name"].transcription.alphabet == ("a", "b")
    for wrong, told in (
        ('[heads.age.detection]\nscore = "s"', r"\[heads.age.detection\] unknown key 'score'"),
        ('[heads.age]\nprimry = "mae"', r"\[heads.age\] unknown key 'primry'"),
        ("[heads.age.keypoints]\nsize = 4", r"\[heads.age.keypoints\] size: 4 cannot be used"),
        ('[heads.age.transcription]\nalphabet = "aa"', r"\[heads.age.transcription\] the alphabet has 'a' twice"),
        (tables + "[heads.age.keypoints]\nsize = [4, 5]", r"\[heads.age.detection\] there is \[heads.age.keypoints\]"),
    ):
        with pytest.raises(ConfigError, match=told):
            read_experiment(written(DOORBELL + wrong))
    with pytest.raises(ConfigError, match=r"\[heads.sex\] labels: classes 0 and 1 are both called 'f'"):
        read_experiment(written(DOORBELL + heads.replace('"m"', '"f"')))


def test_what_is_left_out_has_the_usual_value(written):
    made = read_experiment(written('name = "a"\n[model]\nsource = "saved"\n[data]\ntest = "test.npz"\n'))
    assert made.variants == ("float32", "float16", "dynamic_range")  # int8 needs calibration samples
    assert (made.model.kind, made.plan, made.scoring.primary) == ("saved_model", plan_of("standard"), None)


def test_int8_that_is_left_out_for_want_of_calibration_is_told_so_where_it_is_asked_for(written):
    made = read_experiment(written('name = "a"\n[model]\nsource = "saved"\n[data]\ntest = "test.npz"\n'))
    assert restrict_variants(made, ("float*",)).variants == ("float32", "float16")
    with pytest.raises(ConfigError, match=r"int8 needs samples to calibrate with, and \[data\] gives none") as caught:
        restrict_variants(made, ("int*",))
    assert "calibration = under [data]" in caught.value.advice
    with pytest.raises(ConfigError, match="no variant matches 'int9'"):
        restrict_variants(made, ("int9",))
    chosen = read_experiment(written(DOORBELL.replace('calibration = "calibration.npz"\n', "").replace(', "int8"', "")))
    with pytest.raises(ConfigError, match="no variant matches 'int8'"):  # the file says itself what is built
        restrict_variants(chosen, ("int8",))


def test_with_calibration_samples_int8_is_built_too(written):
    text = 'name = "a"\n[model]\nsource = "model.h5"\n[data]\ntest = "test.npz"\ncalibration = "calibration.npz"\n'
    assert read_experiment(written(text)).variants == ("float32", "float16", "dynamic_range", "int8")


def test_functions_of_the_user_are_looked_for_beside_the_file(written, tmp_path):
    text = DOORBELL.replace("model.keras", "nets:tiny").replace('"int8"]', '"recipes.mine:pruned"]')
    made = read_experiment(written(text))
    assert made.model == ModelSource("function", "nets:tiny", tmp_path)
    assert made.variants == ("float32", "pruned")
    assert (made.recipes["pruned"].module, made.recipes["pruned"].folder) == ("recipes.mine", tmp_path)


def test_imported_files_may_stand_alone(written):
    text = (
        'name = "a"\n[data]\ntest = "test.npz"\n[variants]\nimport = { one = "vendor.tflite", two = "other.tflite" }\n'
    )
    made = read_experiment(written(text + 'baseline = "one"\n'))
    assert (made.model, made.variants, made.baseline) == (None, (), "one")


def test_the_command_line_s_plan_comes_first(written):
    assert read_experiment(written(DOORBELL), plan_of("none")).plan.profile == "none"


WRONG = [  # what is replaced, by what, the line it is told at, what is said, what is advised
    ("scale =", "scael =", 7, "[data] unknown key 'scael'", "did you mean scale?"),
    ("import =", "imported =", 11, "[variants] unknown key 'imported'", "did you mean import?"),
    ("[metrics]", "[metric]", 12, "unknown table [metric]", "did you mean metrics?"),
    ('"quick"', '"fast"', 15, "profile: 'fast' cannot be used", "quick"),
    ('"int8"]', '"int9"]', 10, "there is no variant 'int9'", "did you mean int8?"),
    ("rounds = 4", "rounds = -1", 16, "rounds: -1 cannot be used", "greater than or equal to 0"),
    ('name = "doorbell"', 'name = "door/bell"', 1, "'door/bell' cannot be used as a name", "letters"),
    ('name = "doorbell"', "", 1, "has no name", "harness init"),
    ('test = "test.npz"', "", 4, "[data] has no test", "harness init"),
    ('"cat", "dog"', '"cat", "cat", "dog"', 8, "classes 0 and 1 are both called 'cat'", "a name of its own"),
    ('"cat", "dog"', "1, 2", 8, "labels: 1 cannot be used", "string"),
]


@pytest.mark.parametrize(("old", "new", "line", "told", "advice"), WRONG)
def test_an_error_names_the_line_and_what_would_do(written, old, new, line, told, advice):
    assert old in DOORBELL
    with pytest.raises(ConfigError) as caught:
        read_experiment(written(DOORBELL.replace(old, new)))
    assert f"experiment.toml:{line}: " in str(caught.value)
    assert told in str(caught.value)
    assert advice in caught.value.advice


UNUSABLE = [
    ("model.keras", "missing.keras", "there is no missing.keras"),
    ("model.keras", "vendor.tflite", "vendor.tflite is not a Keras model"),
    ('vendor_int8 = "vendor', 'int8 = "vendor', "'int8' is taken"),
    ('vendor_int8 = "vendor', 'keras = "vendor', "'keras' is taken"),
    ('vendor_int8 = "vendor', '"a b" = "vendor', "'a b' cannot be used as a name"),
    ('[model]\nsource = "model.keras"\n', "", "no Keras model to build float32 from"),
    ("[metrics]", 'baseline = "vendor_int8"\n[metrics]', "the Keras model is the baseline"),
]


@pytest.mark.parametrize(("old", "new", "told"), UNUSABLE)
def test_what_cannot_be_run_is_told_before_anything_is_built(written, old, new, told):
    assert old in DOORBELL
    with pytest.raises(ConfigError) as caught:
        read_experiment(written(DOORBELL.replace(old, new)))
    assert told in str(caught.value)
    assert caught.value.advice


def test_what_is_no_toml_is_told_with_its_line(written):
    with pytest.raises(ConfigError, match=r"is not TOML: .*line 2"):
        read_experiment(written('name = "a"\n[model\n'))


def test_without_a_model_a_baseline_must_be_named(written):
    text = 'name = "a"\n[data]\ntest = "test.npz"\n[variants]\nimport = { one = "vendor.tflite" }\n'
    with pytest.raises(ConfigError, match="a variant must be the baseline") as caught:
        read_experiment(written(text))
    assert "one" in caught.value.advice


YOLO = '\n[detection]\ndecoder = "yolo"\nboxes = "rows"\n'


def test_how_outputs_become_detections(written, tmp_path):
    np.save(tmp_path / "anchors.npy", np.full((3, 4), 0.5))
    text = YOLO + 'size = [48, 64]\nlabel_format = "xywh"\nlabel_normalised = false\nanchors = "anchors.npy"\n'
    how = read_experiment(written(DOORBELL + text)).scoring.detection
    assert (how.decoder, how.reads, how.size, how.form) == ("yolo", ("rows",), (48, 64), "xyxy")
    assert (how.label_form, how.label_normalised, how.anchors) == ("xywh", False, ((0.5,) * 4,) * 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[detection]\ndecoder = "yol"', "no decoder 'yol'"),
        (YOLO + "normalised = false", "picture of unknown size"),
        (YOLO + "label_normalised = false", "picture of unknown size"),
        (YOLO + "score_threshold = 2.0", "score_threshold"),
        (YOLO + 'anchors = "none.npy"', "there is no none.npy"),
    ],
)
def test_what_does_not_say_how_outputs_become_detections_is_told(written, text, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        read_experiment(written(f"{DOORBELL}\n{text}\n"))


def test_what_says_where_objects_are_needs_a_table_that_says_what_they_are(written):
    for option, table in (("boxes", "detection"), ("points", "keypoints")):
        text = DOORBELL.replace("[data]", f'[data]\n{option} = "labels.json"', 1)
        with pytest.raises(ConfigError, match=rf"\[data\] {option} names labels, and there is no \[{table}\]"):
            read_experiment(written(text))
    points = DOORBELL.replace("[data]", '[data]\npoints = "labels.json"', 1) + "[keypoints]\nsize = [4, 5]\n"
    assert read_experiment(written(points)).load.args[0].points == "labels.json"  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"\[keypoints\] the form of \[data\] points is known"):
        read_experiment(written(points + "label_normalised = false"))
