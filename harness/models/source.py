"""From where a user has a model to what the cache keeps of it: model.keras, model.h5, or a SavedModel's folder."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cache import file_sha256
from harness.errors import BuildError, HarnessError
from harness.functions import FunctionRef, load_function, source_sha256

NAMES = ("model.keras", "model.h5", "saved_model")
HDF5 = (".h5", ".hdf5")


def kept(folder: Path) -> Path:
    """The model in a folder of the cache."""
    return next(folder / name for name in NAMES if (folder / name).exists())


def path_sha256(path: Path) -> str:
    """The hash of a file, or of a folder's files with their names."""
    if path.is_file():
        return file_sha256(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    lines = [f"{p.relative_to(path)} {path_sha256(p)}" for p in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def keep(source: Path, folder: Path) -> None:
    """A copy of the model's file or folder."""
    if source.is_dir():
        shutil.copytree(source, folder / "saved_model")
    else:
        shutil.copyfile(source, folder / ("model.h5" if source.suffix in HDF5 else "model.keras"))


def call(ref: FunctionRef, seed: int, folder: Path) -> str:
    """Calls the user's function and keeps what it returns, a Keras model or the path of one → the model's hash.

    The hash is of what the model is, not of the bytes that it is saved as: those differ at every saving.
    """
    import keras

    keras.utils.clear_session()  # layers without a name are numbered from 0 each time
    keras.utils.set_random_seed(seed)
    made = called(ref)
    if isinstance(made, str | Path):
        path = ref.folder / Path(made).expanduser()
        if not path.exists():
            raise BuildError(f"{ref.text} returned {made}, which is not there", "paths are relative to its own folder")
        keep(path, folder)
        return path_sha256(path)
    if not isinstance(made, keras.Model):
        told = f"{ref.text} returned {type(made).__name__}, no Keras model"
        raise BuildError(told, "return a keras.Model, or the path of a .keras file or a SavedModel")
    save(made, folder, ref)
    return model_sha256(made, ref)


def called(ref: FunctionRef) -> Any:
    function = load_function(ref)
    try:
        return function()
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # the user's code raises what it likes
        told = f"{ref.text} failed: {type(error).__name__}: {error}"
        raise BuildError(told, "mend it; --debug shows where") from error


def save(model: Any, folder: Path, ref: FunctionRef) -> None:
    """As model.keras where Keras alone can load it again; a model with code of its own as a SavedModel, without it."""
    try:
        if stands_alone(model):
            model.save(folder / "model.keras")
        else:
            model.export(folder / "saved_model", verbose=False)
    except Exception as error:  # Keras raises whatever its layers raise
        told = f"the model of {ref.text} cannot be saved: {' '.join(str(error).split())[:400]}"
        raise BuildError(told, "call it once on inputs of its shapes, or return the path of a SavedModel") from error


def stands_alone(model: Any) -> bool:
    """Whether all of it is Keras' own, and none of it a piece of Python in a Lambda."""
    layers = [model, *model._flatten_layers()]
    own = (type(layer).__module__.split(".")[0] == "keras" and type(layer).__name__ != "Lambda" for layer in layers)
    return all(own) and all(callable_of_keras(layer) for layer in layers)


def callable_of_keras(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return not callable(activation) or type(activation).__module__ == "keras" or module_of(activation) == "keras"


def module_of(function: Any) -> str:
    return str(getattr(function, "__module__", type(function).__module__)).split(".")[0]


def model_sha256(model: Any, ref: FunctionRef) -> str:
    """The hash of all that the model computes by: its structure, its weights, and code that is not Keras' own."""
    import numpy as np

    digest = hashlib.sha256(structure(model).encode())
    for text in [] if stands_alone(model) else own_code(model, ref):
        digest.update(text.encode())
    for variable in model.weights:
        array = np.ascontiguousarray(variable.numpy())
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def structure(model: Any) -> str:
    """Layers, their options and how they hang together; of a model that cannot say so, the names of their kinds."""
    try:
        return str(model.to_json())
    except Exception:  # a class of the user's without get_config: its code tells
        return " ".join(type(layer).__qualname__ for layer in model._flatten_layers())


def own_code(model: Any, ref: FunctionRef) -> Iterator[str]:
    """The hashes of the function's module with its neighbours, and of every module that a layer's class stands in."""
    yield source_sha256(ref)
    modules = {type(layer).__module__ for layer in [model, *model._flatten_layers()]}
    for name in sorted(name for name in modules if name.split(".")[0] != "keras"):
        if file := getattr(sys.modules.get(name), "__file__", None):
            yield file_sha256(Path(file))
