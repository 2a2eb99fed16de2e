"""Models in .h5 files: Keras 3's, and those of Keras 2, which it reads only in part (keras2.py)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from harness.build.models.keras2 import SAVE_ELSEWHERE, Config, modern
from harness.build.models.load_error import cause
from harness.errors import BuildError
from harness.support.files import TemporaryFolder
from harness.support.foreign import open_regular

MAGIC = b"\x89HDF\r\n\x1a\n"
BUILD_IT = "build the model and load them in a function of yours: module:function"


def is_hdf5(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def from_h5(path: Path) -> Any:
    """The model in the file, for inference alone. Raises BuildError with the reason and what to do."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            config, old = config_of(file, path), keras_version(file) < 3
    except OSError as error:
        raise BuildError(f"{path.name} is not a complete .h5 file: {error}", "copy or save it again") from error
    with TemporaryFolder() as folder:
        file_today = Path(folder) / "model.h5"
        shutil.copyfile(path, file_today)
        if old:
            with h5py.File(file_today, "r+") as file:
                file.attrs["model_config"] = json.dumps(modern(config))
        model = loaded(file_today, path.name, {"hard_sigmoid": hard_sigmoid} if old else {})
    with h5py.File(path, "r") as file:
        check_order(model, file.get("model_weights", file), path.name)
    return model


def loaded(path: Path, name: str, own: dict[str, Any]) -> Any:
    import keras

    try:
        return keras.saving.load_model(path, custom_objects=own, compile=False)
    except Exception as error:  # Keras raises whatever its layers raise
        told = f"Keras {keras.__version__} cannot load {name}: {cause(error)}"
        raise BuildError(told, SAVE_ELSEWHERE) from error


def config_of(file: Any, path: Path) -> Config:
    text = file.attrs.get("model_config")
    if text is None:
        weights = "layer_names" in file.attrs or "layers" in file  # of Keras 2, of Keras 3
        what = "holds weights but no model" if weights else "holds no Keras model"
        raise BuildError(f"the .h5 file {what}", BUILD_IT)
    try:
        config: Config = json.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, TypeError, RecursionError) as error:
        raise BuildError(f"what {path.name} says of its model cannot be read: {error}", SAVE_ELSEWHERE) from error
    return config


def keras_version(file: Any) -> int:
    version = file.attrs.get("keras_version", "1")
    major = int((version.decode() if isinstance(version, bytes) else version).split(".")[0])
    if major < 2:
        raise BuildError("the .h5 file was written by Keras 1", "load and save it with Keras 2 first")
    return major


def hard_sigmoid(x: Any) -> Any:
    """Computes what Keras 2 called by this name."""
    import keras

    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def check_order(model: Any, group: Any, name: str) -> None:
    """Keras assigns weights by their order alone. Raises BuildError where their names say another order."""
    stored = [names for layer in texts(group, "layer_names") if (names := texts(group[layer], "weight_names"))]
    layers = [layer for layer in model.layers if layer.weights]
    for layer, names in zip(layers, stored, strict=False):
        taken = [w.name for w in [*layer.trainable_weights, *layer.non_trainable_weights]]
        given = [re.sub(r"(_\d+)?(:\d+)?$", "", text.split("/")[-1]) for text in names]
        if sorted(taken) == sorted(given) and taken != given:
            told = f"{name} holds the weights of {layer.name} in another order than Keras 3 reads them"
            raise BuildError(told, SAVE_ELSEWHERE)


def texts(group: Any, name: str) -> list[str]:
    """An attribute that is a list of names; a long one is kept in numbered parts."""
    parts = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{name}{len(parts)}"])
    return [text.decode() if isinstance(text, bytes) else str(text) for part in parts for text in part]
