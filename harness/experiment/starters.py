"""The files of `harness init`, task by task: starter/<task>/ as it is, with parts that several tasks share put in.

A starter is the example's alone, or for a model and data of the user's: what is true of the example's data, such as
its scale and its labels, is then commented out, and never taken for the user's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "starter"
STARTERS = {  # task → what a sample has
    "classification": "one class a sample",
    "multilabel": "several labels of 0 or 1 a sample",
    "regression": "numbers to predict",
    "segmentation": "a class for each pixel",
    "frames": "a class for each frame of a clip",
    "detection": "boxes of objects",
    "keypoints": "points of one object",
    "transcription": "text, read or heard",
    "streaming": "one frame of a stream, with a state that is carried on",
    "heads": "several outputs, each with labels of its own",
    "anomaly": "normal or not, by the error of a reconstruction",
    "embedding": "an identity, told by the nearest vectors",
}
WITHOUT_STARTER = {  # a task of TASK_TABLE → why it has none
    "agreement": "take classification, and leave out the labels",
    "distance": "take regression, and leave out the labels",
    "custom": "take the task that is nearest, and name a function of yours under [metrics] primary",
}
PART = re.compile(r"^\{(\w+)\}\n", re.MULTILINE)
TABLE = re.compile(r"\[[\w.]+\]")
KEY = re.compile(r"(\w+) = ")
SIZE = re.compile(r'^max = "\d+KB" .*$', re.MULTILINE)  # the example's: a model of the user's has another
NO_LARGER = """max_increase = "0%"                     # or max = "120KB", what your device has room for
against = "float32"
variant = "!float32\""""
AS_LARGE = 'max = "{}KB"                           # what the file takes now; or what your device has room for'
TFLITE = ".tflite"
NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
IMPORTED = """# Other files go beside it, and all are compared with the baseline.
# A Keras model, [model] source = "model.keras", is the baseline itself: the line here goes then.
import = {{ {0} = {1} }}
baseline = {0}
"""


@dataclass(frozen=True)
class Own:
    """What the user has, as it is to be written into experiment.toml; a file that is still to come where it is "".
    further: keys of [data] → what TOML has there.
    """

    model: str = ""
    data: str = ""
    calibration: str = ""
    further: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0  # of a .tflite file

    @property
    def alone(self) -> str:
        """What a .tflite file that stands in a Keras model's place is called as a variant; "" of a Keras model."""
        return NO_NAME.sub("_", Path(self.model).stem) if self.model.endswith(TFLITE) else ""


def starter_files(task: str, own: Own | None = None) -> dict[Path, str]:
    """Returns the text of each file by its relative path. own: None for the example's model and data."""
    files = {path.name: PART.sub(part, path.read_text("utf-8")) for path in sorted((FOLDER / task).glob("*.*"))}
    if own:
        del files["example.py"]
        files["experiment.toml"] = "".join(lines_of(own, files["experiment.toml"]))
        files["policy.toml"] = policy_of(own, files["policy.toml"])
    targets = {str(path.relative_to(FOLDER)): path.read_text("utf-8") for path in FOLDER.glob("targets/*.toml")}
    return {Path(name): text for name, text in (files | targets).items()}


def policy_of(own: Own, text: str) -> str:
    """Returns policy.toml with rules that a model of the user's can meet."""
    if not own.alone:
        return SIZE.sub(NO_LARGER, text)
    return SIZE.sub(AS_LARGE.format(-(-own.size_bytes // 1000)), text).replace("!float32", f"!{own.alone}")


def part(found: re.Match[str]) -> str:
    return (FOLDER / "parts" / f"{found[1]}.toml").read_text("utf-8")


def lines_of(own: Own, text: str) -> Iterator[str]:
    """Yields the lines of experiment.toml for a model and data of the user's."""
    written = {
        "name": 'name = "mine"                           # names the folder below results/\n',
        "source": f"source = {quoted(own.model or 'model.keras')}\n",
        "test": f"test = {quoted(own.data or 'test.npz')}\n",
        "calibration": calibrated(own) + "".join(f"{key} = {value}\n" for key, value in own.further.items()),
    }
    table = ""
    for line in text.splitlines(keepends=True):
        table = found[0] if (found := TABLE.match(line)) else table
        key = found[1] if (found := KEY.match(line)) else ""
        of_the_example = key == "build" or (key and table in ("[data]", "[state]"))
        if own.alone and (table == "[model]" or key == "build" or line.startswith("# import")):
            continue
        if line.startswith("# ") and (found := KEY.match(line[2:])) and found[1] in own.further and table == "[data]":
            continue
        if own.alone and line.startswith("[variants]"):
            yield line + IMPORTED.format(json.dumps(own.alone), quoted(own.model))
            continue
        yield written.get(key) or (f"# {line.replace('   #', ' #', 1)}" if of_the_example else line)


def calibrated(own: Own) -> str:
    if own.calibration:
        return f"calibration = {quoted(own.calibration)}\n"
    return '# calibration = "calibration.npz"       # training samples, for int8; never test samples\n'


def quoted(text: str) -> str:
    """A basic string of TOML: JSON's, but for one character that TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
