"""harness init: files to start from."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.experiment.starters import Own

OF_THE_EXAMPLE = {  # what init cannot know of a model of the user's, where it is more than the names of classes
    "detection": "[detection]",
    "heads": "[metrics] output, [heads]",
    "regression": "",
}

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="where they go; created if missing")]
Task = Annotated[str, typer.Option(metavar="TASK", help="classification, multilabel, regression, segmentation, …")]
Model = Annotated[str, typer.Option(metavar="PATH", help="your Keras model, or package.module:function")]
Data = Annotated[str, typer.Option(metavar="PATH", help="your test samples, or package.module:function")]


def init(folder: Folder = Path(), task: Task = "", model: Model = "", data: Data = "") -> None:
    """Write a commented experiment.toml, policy.toml and targets/ to start from. Without a model and data of yours
    they run as they are.
    """
    from harness.cli.output import say, write
    from harness.experiment.starters import starter_files

    if sys.stdin and sys.stdin.isatty() and not (task or model or data):
        task, model = asked()
    task = known(task or "classification")
    own = owned(model, data, folder) if model or data else None
    files = {folder / path: text for path, text in starter_files(task, own).items()}
    check_free(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        write(str(path))
    if own:
        say(to_complete(task, own))
    say("next: " + ("" if folder == Path() else f"cd {shlex.quote(str(folder))} && ") + "harness run experiment.toml")


def asked() -> tuple[str, str]:
    """Asks which task it is, and where the model is."""
    from harness.cli.output import answerable, say
    from harness.experiment.starters import STARTERS

    say("\n".join(f"  {name:<16}{what}" for name, what in STARTERS.items()))
    with answerable():
        task = typer.prompt("Which task", default="classification", err=True)
        model = typer.prompt("Where is the Keras model (empty: an example)", default="", show_default=False, err=True)
    return task, model


def known(task: str) -> str:
    """Returns the task. Raises ConfigError where there are no files for it."""
    from harness.errors import ConfigError
    from harness.experiment.starters import STARTERS, WITHOUT_STARTER
    from harness.support.toml import nearest

    if task not in STARTERS:
        advice = WITHOUT_STARTER.get(task) or nearest(task, STARTERS, "the tasks are")
        raise ConfigError(f"there is nothing to start from for the task {task!r}", advice)
    return task


def owned(model: str, data: str, folder: Path) -> Own:
    """Returns what the user has, as paths from the folder. Raises ConfigError where it is not there."""
    from harness.errors import ConfigError
    from harness.experiment.experiment_file import keras_model
    from harness.experiment.starters import Own
    from harness.support.functions import is_reference

    if model:
        keras_model(model, Path(), "--model", "paths are relative to the folder that you are in")
    if data and not is_reference(data) and not Path(data).exists():
        raise ConfigError(f"--data: {data} does not exist", "paths are relative to the folder that you are in")
    return Own(*(text if is_reference(text) or not text else seen_from(folder, Path(text)) for text in (model, data)))


def seen_from(folder: Path, path: Path) -> str:
    """The path as experiment.toml in the folder has it: an absolute one stays so."""
    return str(path if path.is_absolute() else Path(os.path.relpath(path.resolve(), folder.resolve())))


def check_free(files: dict[Path, str]) -> None:
    """Raises ConfigError where one of the files is there already."""
    from harness.errors import ConfigError

    if taken := [path for path in files if path.exists()]:
        raise ConfigError(f"{taken[0]} already exists", "nothing was written; give another folder, or move it")


def to_complete(task: str, own: Own) -> str:
    """What experiment.toml still lacks, and what in it is the example's."""
    lacking = ["" if own.model else "[model] source", "" if own.data else "[data] test", "[data] scale and calibration"]
    lacking.append(OF_THE_EXAMPLE.get(task, "[data] labels"))
    return f"first: look at {', '.join(filter(None, lacking))} in experiment.toml: they must be your model's"


COMMANDS = (init,)
