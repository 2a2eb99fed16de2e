"""Models that others may have written: each is saved by Keras and TensorFlow, damaged, and read as a run reads it.

Run as `python -m tests.foreign_models COUNT [SEED] [NAME]` for a campaign of any length; tests/test_foreign_models.py
runs a short one. What is read without TensorFlow is damaged by tests/foreign_files.py.
"""

from __future__ import annotations

import pickle
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np

from harness.build import models
from harness.build.keras_process import KerasProcess
from harness.build.models import model_source, predictions
from harness.build.models.feed import feeds_of
from harness.records import Affine, Dataset
from tests.foreign_files import MODELS, ZIP, escape_of, word_changed
from tests.mutations import mutate, restore, value_changed

LONGEST_S = 60.0  # for one call of TensorFlow's process: a sound model takes a tenth of a second
SAMPLES = np.random.default_rng(5).random((6, 8, 8, 1), np.float32)
# As the file of another framework begins: a protobuf with a version, a producer and a graph of one node.
ONNX = b'\x08\x08\x12\x07pytorch\x1a\x032.1:\x15\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x05graph'


# --- sound models ----------------------------------------------------------------------------------------------------


def saved(folder: Path) -> None:
    """One small model in every form that Keras and TensorFlow write. Runs where TensorFlow is."""
    import keras

    keras.utils.set_random_seed(3)
    x = keras.Input((8, 8, 1), name="picture")
    y = keras.layers.Conv2D(3, 3, activation="relu", name="edges")(x)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.Flatten(name="flat")(y)
    model = keras.Model(x, keras.layers.Dense(4, activation="softmax", name="scores")(y))
    for name in ("model.keras", "model.h5"):
        (folder / name).mkdir()
        model.save(folder / name / name)
    model.export(folder / "SavedModel" / "model", verbose=False)
    steps = keras.Sequential([keras.Input((8, 8)), keras.layers.LSTM(3), keras.layers.Dense(2)])
    (folder / "recurrent.keras").mkdir()
    steps.save(folder / "recurrent.keras" / "model.keras")


# --- damage ----------------------------------------------------------------------------------------------------------


def another_format(path: Path, chance: Random) -> str:
    """The content of a model of another framework, or of another kind, under this name."""
    made: dict[str, bytes] = {
        "ONNX": ONNX,
        "pickle": pickle.dumps({"weights": [1.0] * 9}),
        "TFLite": (MODELS / "int8.tflite").read_bytes(),
        "HDF5 that is cut": b"\x89HDF\r\n\x1a\n" + bytes(500),
        "text": b"the model is at https://example.com\n",
    }
    name = chance.choice(sorted(made))
    path.write_bytes(made[name])
    return f"now {name}"


def config_changed(path: Path, chance: Random) -> str:
    """Another value somewhere in what a .h5 file says of its model, or an attribute or a group less."""
    import h5py

    with h5py.File(path, "r+") as file, tempfile.TemporaryDirectory() as folder:
        if chance.random() < 0.3:
            groups: list[str] = []
            file.visit(groups.append)
            name = chance.choice(sorted(groups))
            del file[name]
            return f"{name} gone"
        config = Path(folder) / "config.json"
        config.write_text(str(file.attrs["model_config"]))
        told = value_changed(config, chance)
        text = config.read_text()
        if len(text) > 60_000:
            return "nothing"
        file.attrs["model_config"] = text
        return f"model_config: {told}"


def field_changed(path: Path, chance: Random) -> str:
    """A length, a number or a name of a protobuf that is another, so that what stands around it stays whole."""
    content = bytearray(path.read_bytes())
    names = [match.span() for match in re.finditer(rb"[A-Za-z_][\w/:]{3,40}", bytes(content))]
    if not names:
        return "nothing"
    first, last = chance.choice(names)
    if chance.random() < 0.6:
        other = content[slice(*chance.choice(names))]
        content[first:last] = (bytes(other) + b"x" * (last - first))[: last - first]
        told = bytes(content[first:last]).decode()
    else:
        content[first - 1] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        told = f"the length before {bytes(content[first:last]).decode()}"
    path.write_bytes(content)
    return f"byte {first}: {told}"


Way = Callable[[Path, Random], str]
WAYS: dict[str, tuple[Way, ...]] = {
    ".keras": (*ZIP, ZIP[0], ZIP[0]),
    ".h5": (config_changed, config_changed, config_changed, word_changed),
    ".pb": (field_changed,) * 5,
    ".index": (word_changed,),
}


def damage(folder: Path, chance: Random) -> tuple[Path, str]:
    file = chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    way = chance.choice([mutate, another_format, *WAYS.get(file.suffix, ())])
    return file, way(file, chance)


# --- what reads them -------------------------------------------------------------------------------------------------


def read(model: Path, keras: KerasProcess) -> None:
    """As a build does it: from the user's file to the answers that every variant is compared with."""
    model_source.check_whole(model)
    model_source.path_sha256(model)
    with tempfile.TemporaryDirectory() as folder:
        model_source.keep(model, Path(folder))
        path = model_source.kept(Path(folder))
        facts = keras.call(models.describe, path)
        stored = SAMPLES[..., 0] if len(facts.inputs[0].shape) == 3 else SAMPLES
        feeds = feeds_of(facts.inputs, Dataset("made", (), None, (stored,), None, (Affine(),), (), ""))
        keras.call(predictions.habits, path, feeds, (stored,))
        outputs = keras.call(predictions.outputs, path, feeds, (stored,))
        assert [len(output) for output in outputs] == [len(stored)] * len(facts.outputs)


class Damaged:
    """Sound models below a folder, and copies that are damaged, and made sound again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keras = KerasProcess(root / "tensorflow.log")
        self.keras._limit_s = LONGEST_S
        (root / "sound").mkdir()
        self.keras.call(saved, root / "sound")
        shutil.copytree(root / "sound", root / "damaged")
        self.names = sorted(path.name for path in (root / "sound").iterdir())

    def model(self, name: str, which: str = "damaged") -> Path:
        (path,) = (self.root / which / name).iterdir()
        return path

    def sound(self, name: str) -> None:
        read(self.model(name, "sound"), self.keras)

    def tried(self, name: str, chance: Random) -> tuple[str, str]:
        """Damages the model of this name. Returns how, and what escaped."""
        sound, damaged = self.root / "sound" / name, self.root / "damaged" / name
        given = self.model(name)
        file, how = damage(damaged, chance)
        begun_s = time.monotonic()
        try:
            escape = escape_of(lambda _: read(given, self.keras), given)
            if time.monotonic() - begun_s > LONGEST_S:
                escape = escape or f"took {time.monotonic() - begun_s:.0f} s"
            return f"{name}, {file.relative_to(damaged)}: {how}", escape
        finally:
            restore(sound / file.relative_to(damaged), file)

    def close(self) -> None:
        self.keras.__exit__(None, None, None)


def campaign(count: int, seed: int, damaged: Damaged, wanted: str = "") -> Iterator[tuple[str, str]]:
    """Yields (what was damaged and how, what escaped) of so many models."""
    names = [name for name in damaged.names if re.search(wanted, name)]
    for n in range(count):
        chance = Random(f"{seed}.{n}")
        how, escape = damaged.tried(chance.choice(names), chance)
        yield f"{seed}.{n} {how}", escape


def main() -> None:
    count, seed, wanted = int(sys.argv[1]), int((*sys.argv, "0")[2]), (*sys.argv, "0", "")[3] if sys.argv[3:] else ""
    escaped, begun_s = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        damaged = Damaged(Path(folder))
        for told, escape in campaign(count, seed, damaged, wanted):
            if escape:
                escaped += 1
                print(f"=== {told}\n{escape}", flush=True)
        damaged.close()
    print(f"{count} models in {time.monotonic() - begun_s:.0f} s, {escaped} escaped")


if __name__ == "__main__":
    from tests.foreign_models import main as of_module  # TensorFlow's process knows no __main__

    of_module()
