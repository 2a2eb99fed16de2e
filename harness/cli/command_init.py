"""harness init: files to start from."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.experiment.starters import STARTERS

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.experiment.looked import Looked
    from harness.experiment.starters import Own

OF_THE_EXAMPLE = {  # what init cannot know of a model of the user's, and what a run needs all the same
    "detection": "[detection]",
    "keypoints": "[keypoints]",
    "heads": "[metrics] output, [heads]",
    "transcription": "[transcription]",
}

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="where they go; created if missing")]
Task = Annotated[
    str,
    typer.Option(metavar="TASK", help=", ".join(STARTERS), autocompletion=completion.tasks),
]
Model = Annotated[str, typer.Option(metavar="PATH", help="your model: Keras, .tflite or package.module:function")]
Data = Annotated[str, typer.Option(metavar="PATH", help="your test samples: a file, a folder, package.module:function")]
Calibration = Annotated[str, typer.Option(metavar="PATH", help="training samples that int8 learns its ranges from")]
Label = Annotated[str, typer.Option(metavar="NAME", help="the array or column of labels; default: y, or label")]
LABELLED = (".npz", ".csv", ".parquet")  # files in which an array or a column is the labels
COMPARED_WITH_NOTHING = (
    "{} is compared with nothing yet, so accuracy_drop has no row: import other files beside it under [variants], or"
    " give the Keras model as [model] source"
)
TO_CALIBRATE = "give --calibration, 100 to 500 training samples in the form of the test samples"


def init(
    folder: Folder = Path(),
    task: Task = "",
    model: Model = "",
    data: Data = "",
    label: Label = "",
    calibration: Calibration = "",
) -> None:
    """Write a commented experiment.toml, policy.toml and targets/ to start from.

    Without a model and data of yours they run as they are. With them it looks at both, and writes what fits.
    """
    from harness.cli.output import say, write
    from harness.experiment.starters import starter_files

    if sys.stdin and sys.stdin.isatty() and not (task or model or data or calibration):
        model, data, label, calibration = asked_files()
        task = "" if model else asked_task()
    known(task or "classification")
    check_there(model, data, calibration)
    seen = looked(model, data, label)
    task = task or (seen.task if seen else "") or "classification"
    own = owned(model, data, label, calibration, folder, seen) if seen else None
    files = {folder / path: text for path, text in starter_files(task, own).items()}
    check_free(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        write(str(path))
    if own and seen:
        tell(task, own, seen)
    say("next: " + ("" if folder == Path() else f"cd {shlex.quote(str(folder))} && ") + "harness run experiment.toml")


def asked_files() -> tuple[str, str, str, str]:
    """Asks where the model is, and of one of the user's where the samples are."""
    model = asked("Where is the Keras model, or a .tflite file (empty: an example)")
    if not model:
        return "", "", "", ""
    data = asked("Where are test samples (empty: still to come)")
    named = asked("Which array or column has the labels", default_label(data)) if data.endswith(LABELLED) else ""
    label = "" if named == default_label(data) else named
    return model, data, label, asked("And training samples, for int8 (empty: none)")


def default_label(data: str) -> str:
    return "y" if data.endswith(".npz") else "label"


def asked_task() -> str:
    from harness.cli.output import say

    say("\n".join(f"  {name:<16}{what}" for name, what in STARTERS.items()))
    return asked("Which task", "classification")


def asked(question: str, default: str = "") -> str:
    from harness.cli.output import answerable

    with answerable():
        return str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()


def known(task: str) -> str:
    """Returns the task. Raises ConfigError where there are no files for it."""
    from harness.errors import ConfigError
    from harness.experiment.starters import WITHOUT_STARTER
    from harness.support.format import nearest

    if task not in STARTERS:
        advice = WITHOUT_STARTER.get(task) or nearest(task, STARTERS, "the tasks are")
        raise ConfigError(f"there is nothing to start from for the task {task!r}", advice)
    return task


def check_there(model: str, data: str, calibration: str) -> None:
    """Raises ConfigError where something that the user named is not there, BuildError for what is no .tflite file."""
    from harness.build.artifact import inspect
    from harness.errors import ConfigError
    from harness.experiment.experiment_file import existing, keras_model
    from harness.experiment.starters import TFLITE
    from harness.support.functions import is_reference

    here = "paths are relative to the folder that you are in"
    if model.endswith(TFLITE):
        inspect(existing(Path(), model, "--model", here))
    elif model:
        keras_model(model, Path(), "--model", here)
    for option, path in (("--data", data), ("--calibration", calibration)):
        if path and not is_reference(path) and not Path(path).exists():
            raise ConfigError(f"{option}: {path} does not exist", here)


def looked(model: str, data: str, label: str) -> Looked | None:
    """What is seen of a model and samples of the user's, said; None where there are none. Raises ConfigError where a
    run could not give the samples to the model.
    """
    if not (model or data):
        return None
    from harness.cli.output import say
    from harness.errors import ConfigError
    from harness.experiment.looked import in_words, look

    seen = look(model, data, say, label)
    for line in in_words(seen):
        say(line)
    if error := seen.misfit:
        raise ConfigError(f"{error}; nothing was written", to_fit(error, data, label))
    return seen


def to_fit(error: HarnessError, data: str, label: str) -> str:
    """What may bring samples to the model: in a table, or an archive, labels may have been taken for inputs."""
    if label or not data.endswith(LABELLED):
        return error.advice
    return f"if the labels are among them, --label says what they are called; else {error.advice}"


def owned(model: str, data: str, label: str, calibration: str, folder: Path, seen: Looked) -> Own:
    """Returns what the user has, as paths from the folder, and what [data] needs for it."""
    from harness.experiment.starters import TFLITE, Own, quoted
    from harness.support.functions import is_reference

    def written(text: str) -> str:
        return text if is_reference(text) or not text else seen_from(folder, Path(text))

    further = seen.of_pictures if data and Path(data).is_dir() else {"label": quoted(label)} if label else {}
    size_bytes = Path(model).stat().st_size if model.endswith(TFLITE) else 0
    return Own(written(model), written(data), written(calibration or both_halves(data)), further, size_bytes)


def both_halves(data: str) -> str:
    """The file, where it holds training samples beside the test samples, as Keras' own data sets do."""
    from zipfile import BadZipFile, ZipFile

    try:
        return data if data.endswith(".npz") and "x_train.npy" in ZipFile(data).namelist() else ""
    except (BadZipFile, OSError):
        return ""


def seen_from(folder: Path, path: Path) -> str:
    """The path as experiment.toml in the folder has it: an absolute one stays so."""
    return str(path if path.is_absolute() else Path(os.path.relpath(path.resolve(), folder.resolve())))


def check_free(files: dict[Path, str]) -> None:
    """Raises ConfigError where one of the files is there already."""
    from harness.errors import ConfigError

    if taken := [path for path in files if path.exists()]:
        raise ConfigError(f"{taken[0]} already exists", "nothing was written; give another folder, or move it")


def tell(task: str, own: Own, seen: Looked) -> None:
    """What was concluded, what is left out, and what is still to be done."""
    from harness.build.variants import RECIPES
    from harness.cli.output import say
    from harness.experiment.experiment_file import usual
    from harness.support.format import listed

    if seen.task:
        say(f"labels and outputs make the task {seen.task}" + (f"; {task} was asked for" if seen.task != task else ""))
    elif task == "classification":
        say("the task was taken for classification: --task says another")
    if own.alone:
        say(COMPARED_WITH_NOTHING.format(own.alone))
    elif not own.calibration:
        left_out = [name for name in usual(calibrated=True) if RECIPES[name].calibrated]
        say(f"left out: {listed(left_out)}, for want of samples to calibrate with; {TO_CALIBRATE}")
    if first := to_complete(task, own, seen):
        say(first)


def to_complete(task: str, own: Own, seen: Looked) -> str:
    """What experiment.toml still lacks, and what in it is the example's; "" where that is nothing."""
    lacking = {
        "[model] source": not own.model,
        "[data] test": not own.data,
        "[data] scale": seen.needs_scale,
        OF_THE_EXAMPLE.get(task, ""): True,
    }
    names = ", ".join(name for name, missing in lacking.items() if name and missing)
    return f"first: look at {names} in experiment.toml: they must be your model's" if names else ""


COMMANDS = (init,)
