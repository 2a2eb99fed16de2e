"""What `harness init` writes: for each task files that fit each other, and nothing of the example for a user's own."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from harness.build.models import Facts
from harness.experiment import looked
from harness.experiment.experiment_file import read_experiment
from harness.experiment.starters import STARTERS, Own, starter_files
from harness.gate.policy import read_policy
from harness.metrics import METRICS
from harness.metrics.fitting import with_declarations
from harness.records import Affine, Tensor
from tests.conftest import Call
from tests.devices import RECORDED

TASKS = {name: (name,) for name in STARTERS} | {
    "heads": ("classification", "regression"),
    "streaming": ("classification",),
}


@pytest.fixture(params=STARTERS)
def task(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch):
    """Answers, a line each, are typed at a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def written(folder: Path) -> dict:
    return tomllib.loads((folder / "experiment.toml").read_text("utf-8"))


def test_the_files_of_a_task_fit_each_other(harness: Call, tmp_path: Path, task: str) -> None:
    assert harness("init", str(tmp_path), "--task", task)[0] == 0
    experiment = read_experiment(tmp_path / "experiment.toml")
    scoring = with_declarations(experiment.scoring)
    policy = read_policy(tmp_path / "policy.toml", scoring)
    own = {name for of in scoring.declared for name in (of.name, of.reference)}
    measured = {name for of in (scoring, *experiment.heads.values()) for name in (of.primary, *of.others) if name}
    judged = {rule.metric for rule in policy.rules} - {"size_bytes"}
    assert judged and all(set(METRICS[name].tasks) & set(TASKS[task]) for name in (measured | judged) - own)
    assert not own and {rule.output for rule in policy.rules} <= {"*", *experiment.heads}


def test_every_function_that_is_named_is_there(harness: Call, tmp_path: Path, task: str) -> None:
    harness("init", str(tmp_path), "--task", task)
    active = [line for line in (tmp_path / "experiment.toml").read_text("utf-8").splitlines() if line[:1] != "#"]
    named = re.findall(r'"(\w+):(\w+)"', "\n".join(line.partition(" # ")[0] for line in active))
    assert {"model", "test", "calibration"} <= {function for _, function in named}
    for module, function in named:
        assert f"\ndef {function}(" in (tmp_path / f"{module}.py").read_text("utf-8")


def policy_of(folder: Path) -> str:
    """What is asked in it, without what is commented out."""
    return "\n".join(line.partition("#")[0] for line in (folder / "policy.toml").read_text("utf-8").splitlines())


def test_without_a_terminal_it_is_classification_and_nothing_is_asked(harness: Call, tmp_path: Path) -> None:
    assert harness("init", str(tmp_path / "plain"))[0] == 0
    harness("init", str(tmp_path / "named"), "--task", "classification")
    for name in ("experiment.toml", "policy.toml", "example.py", "targets/raspberry-pi.toml"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "named" / name).read_bytes()


def test_at_a_terminal_two_questions_are_asked(harness: Call, tmp_path: Path, at_a_terminal) -> None:
    at_a_terminal("\nregression\n")
    code, _, err = harness("init", str(tmp_path))
    assert code == 0 and "Which task" in err and "Where is the Keras model" in err and "test samples" not in err
    assert written(tmp_path)["metrics"]["primary"] == "mae" and (tmp_path / "example.py").exists()


def test_whoever_ends_a_question_ends_the_command(harness: Call, tmp_path: Path, at_a_terminal) -> None:
    at_a_terminal("")  # the end of the input: what Ctrl-D says, and to the prompt Ctrl-C
    assert harness("init", str(tmp_path / "new"))[0] == 130
    assert not (tmp_path / "new").exists()


def test_whoever_gives_an_option_is_asked_nothing(harness: Call, tmp_path: Path, at_a_terminal) -> None:
    at_a_terminal("")
    code, _, err = harness("init", str(tmp_path), "--task", "anomaly")
    assert code == 0 and "Which" not in err


def test_a_model_that_is_the_users_is_never_run_on_the_examples_data(
    harness: Call, tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my "own".keras').touch()
    code, _, err = harness("init", "new", "--task", task, "--model", 'my "own".keras')
    assert code == 0 and "[data] test" in err
    toml = written(tmp_path / "new")
    assert toml["model"]["source"] == '../my "own".keras'
    assert toml["data"] == {"test": "test.npz"} and "build" not in toml["variants"]
    assert "was not looked at" in err and "left out: int8" in err and "KB" not in policy_of(tmp_path / "new")
    assert not (tmp_path / "new" / "example.py").exists()
    np.savez(tmp_path / "new" / "test.npz", x=np.zeros((2, 3)))
    experiment = read_experiment(tmp_path / "new" / "experiment.toml")
    read_policy(tmp_path / "new" / "policy.toml", with_declarations(experiment.scoring))
    assert "int8" not in experiment.variants  # there is nothing to calibrate it with


@pytest.fixture
def model_of(monkeypatch: pytest.MonkeyPatch):
    """Says what TensorFlow would of any model: its input and its outputs, a sample each."""

    def facts(taken: tuple[int, ...], *given: tuple[int, ...], scaled: Affine | None = None) -> None:
        outputs = tuple(Tensor(f"out{n}", "float32", (-1, *shape)) for n, shape in enumerate(given))
        found = Facts((Tensor("x", "float32", (-1, *taken)),), outputs, 7, scaled)
        monkeypatch.setattr(looked, "facts_of", lambda path: found)

    monkeypatch.setattr("harness.experiment.experiment_file.existing", lambda folder, path, *rest: folder / path)
    return facts


PIXELS = np.zeros((6, 4, 4), np.uint8)
KINDS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("outputs", "labels", "task"),
    [
        (((3,),), {"y": KINDS}, "classification"),
        (((1,),), {"y": KINDS * 1.5}, "regression"),
        (((3,),), {"y": np.eye(3, dtype=np.int64)[KINDS]}, "classification"),  # as a run takes one-hot rows
        (
            ((3,),),
            {"y": KINDS.astype(np.float32)},
            "classification",
        ),  # and whole floats, where there are as many scores
        (((3,),), {"y": np.arange(18).reshape(6, 3) % 2}, "multilabel"),
        (((4, 4, 3),), {"y": np.zeros((6, 4, 4), np.uint8)}, "segmentation"),
        (((3,), (1,)), {"y_out0": KINDS, "y_out1": KINDS * 1.5}, "heads"),
        (((3,),), {}, "classification"),
        (((4, 4),), {}, "regression"),
    ],
)
def test_labels_and_outputs_say_the_task(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_of, outputs, labels, task: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model_of((4, 4), *outputs)
    np.savez("test.npz", x=PIXELS, **labels)
    code, _, err = harness("init", "new", "--model", "m.keras", "--data", "test.npz")
    assert code == 0 and f"make the task {task}\n" in err and "6 test samples: uint8 4×4" in err
    example = starter_files(task)[Path("policy.toml")]
    judged = re.findall(r'^metric = ("\w+")', example, re.MULTILINE)
    assert re.findall(r'^metric = ("\w+")', (tmp_path / "new" / "policy.toml").read_text(), re.MULTILINE) == judged


@pytest.mark.parametrize("name", ["rows.csv", "rows.npz"])
def test_labels_that_would_be_taken_for_inputs_are_asked_for(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_of, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model_of((2,), (1,))
    numbers = np.arange(18, dtype=np.float32).reshape(6, 3)
    np.savez("rows.npz", rooms=numbers[:, :2], price=numbers[:, 2])
    np.savetxt("rows.csv", numbers, delimiter=",", header="rooms,area,price", comments="")
    code, _, err = harness("init", "new", "--model", "m.keras", "--data", name)
    assert code == 2 and "nothing was written" in err and "--label says what they are called" in err
    assert not (tmp_path / "new").exists()
    code, _, err = harness("init", "new", "--model", "m.keras", "--data", name, "--label", "price")
    assert code == 0 and "make the task regression" in err and "first:" not in err
    assert written(tmp_path / "new")["data"] == {"test": f"../{name}", "label": "price"}


def test_samples_of_another_shape_are_refused_at_once(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_of
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model_of((9,), (3,))
    np.savez("test.npz", x=PIXELS, y=KINDS)
    code, _, err = harness("init", "new", "--model", "m.keras", "--data", "test.npz")
    assert code == 2 and "takes samples of shape (9,), but the data's are (4, 4)" in err


def test_whole_numbers_that_the_model_takes_need_no_scale(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "m.keras").touch()
    words = Facts((Tensor("x", "int32", (-1, 4)),), (Tensor("out", "float32", (-1, 3)),), 7, None)
    monkeypatch.setattr(looked, "facts_of", lambda path: words)
    np.savez("test.npz", x=np.zeros((6, 4), np.int32), y=KINDS)
    code, _, err = harness("init", "new", "--model", "m.keras", "--data", "test.npz")
    assert code == 0 and "scale" not in err and "first:" not in err


def test_pictures_are_brought_to_what_the_model_takes(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_of
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, size in (("ant", (9, 7)), ("bee", (8, 8))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", size).save(tmp_path / "photos" / name / "one.png")
    model_of((5, 6, 1), (2,), scaled=Affine(1 / 255))
    code, _, err = harness("init", "--model", "m.keras", "--data", "photos", "--calibration", "photos")
    assert code == 0 and "it begins with input × 0.00392157 + 0 by itself" in err
    assert "first:" not in err and "left out" not in err  # scale, classes and calibration samples are all known
    wanted = {"test": "photos", "calibration": "photos", "size": [5, 6], "color": "grayscale"}
    assert written(tmp_path)["data"] == wanted


def test_training_samples_beside_the_test_samples_calibrate(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez("both.npz", x_train=PIXELS, y_train=KINDS, x_test=PIXELS, y_test=KINDS)
    code, _, err = harness("init", "--model", "a:b", "--data", "both.npz")
    assert code == 0 and "a:b, was not looked at: it is a function" in err and "left out" not in err
    assert written(tmp_path)["data"] == {"test": "both.npz", "calibration": "both.npz"}


def test_what_is_asked_for_goes_before_what_is_seen(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_of
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model_of((4, 4), (1,))
    np.savez("test.npz", x=PIXELS, y=KINDS % 2)
    code, _, err = harness("init", "--model", "m.keras", "--data", "test.npz", "--task", "anomaly")
    assert code == 0 and "make the task classification; anomaly was asked for" in err
    assert written(tmp_path)["metrics"]["primary"] == "anomaly_auc"


def test_data_that_are_the_users_are_named_too(harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").touch()
    code, _, err = harness("init", "--model", "mine:net", "--data", str(tmp_path / "rows.csv"))
    assert code == 0 and "[data] scale" in err and "[data] test" not in err
    assert written(tmp_path)["model"]["source"] == "mine:net"
    assert written(tmp_path)["data"]["test"] == str(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("words", "what", "advice"),
    [
        (("--task", "segmentaton"), "'segmentaton'", "did you mean segmentation?"),
        (("--task", "custom"), "'custom'", "the task that is nearest"),
        (("--model", "no.keras"), "no.keras", "relative to the folder that you are in"),
        (("--model", "old.tflite"), "old.tflite is not a TFLite file", "convert the model again"),
        (("--data", "no.npz"), "no.npz does not exist", "relative to the folder that you are in"),
        (("--calibration", "no.npz"), "no.npz does not exist", "relative to the folder that you are in"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_written(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str, advice: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.tflite").touch()
    code, _, err = harness("init", "new", *words)
    assert code == 2 and what in err and advice in err
    assert not (tmp_path / "new").exists()


def test_a_tflite_file_alone_is_the_baseline_and_said_to_be_compared_with_nothing(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its input is int8, and what goes in is what that stands for: pixels, which want a scale."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "vendor's 2.int8.tflite"
    shutil.copy(RECORDED / "variants" / "int8.tflite", file)
    np.savez("test.npz", x=np.zeros((6, 28, 28), np.uint8), y=np.arange(6))
    code, _, err = harness("init", "new", "--model", file.name, "--data", "test.npz")
    assert code == 0 and "float32 28×28" in err and "parameters" not in err and "make the task classification" in err
    assert "vendor_s_2_int8 is compared with nothing yet" in err and "[data] scale" in err and "int8, " not in err
    experiment = read_experiment(tmp_path / "new" / "experiment.toml")
    assert experiment.baseline == "vendor_s_2_int8" and experiment.model is None and not experiment.variants
    assert experiment.imports == {"vendor_s_2_int8": file}
    drop, size = read_policy(tmp_path / "new" / "policy.toml", with_declarations(experiment.scoring)).rules
    assert drop.variant == "!vendor_s_2_int8"
    assert file.stat().st_size <= size.limit.value < file.stat().st_size + 1000


def test_a_text_is_written_so_that_toml_reads_it() -> None:
    odd = 'a\\b "ü" \t\x7f.keras'
    text = starter_files("classification", Own(odd, odd))[Path("experiment.toml")]
    assert tomllib.loads(text)["model"]["source"] == odd == tomllib.loads(text)["data"]["test"]


def test_a_task_costs_no_tensorflow(tmp_path: Path) -> None:
    script = "import sys; sys.argv[1:] = ['init', 'new', '--task', 'detection', '--model', 'a:b']\n"
    script += "from harness.cli import main\ntry: main()\nexcept SystemExit: print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.stdout.decode().split()[-1] == "False", done.stderr
