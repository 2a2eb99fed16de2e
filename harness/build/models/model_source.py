"""From a user's model to what the cache keeps of it: model.keras, model.h5, or a SavedModel's folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.build.models.h5 import is_hdf5
from harness.errors import BuildError, HarnessError, Unreadable, one_line
from harness.support.cache import file_sha256
from harness.support.foreign import opened_zip
from harness.support.functions import FunctionRef, load_function, loaded_below, looking_in, source_sha256

NAMES = ("model.keras", "model.h5", "saved_model")
HDF5 = (".h5", ".hdf5")
UNPACKED_BYTES = 16 << 30  # a .tflite file has 2 GiB at most: of int8, 8 GiB of float32 weights


def kept(folder: Path) -> Path:
    """The model in a folder of the cache."""
    return next(folder / name for name in NAMES if (folder / name).exists())


def path_sha256(path: Path) -> str:
    """The hash of a file, or of a folder's files with their names. Raises Unreadable for a pipe and the like, OSError
    for a link that leads nowhere.
    """
    if not path.is_dir():
        return file_sha256(path)
    files = sorted(p for p in path.rglob("*") if not p.is_dir())
    lines = [f"{p.relative_to(path)} {file_sha256(p)}" for p in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def keep(source: Path, folder: Path) -> None:
    """A copy of the model's file or folder."""
    if source.is_dir():
        shutil.copytree(source, folder / "saved_model")
    else:
        shutil.copyfile(source, folder / ("model.h5" if source.suffix in HDF5 else "model.keras"))


def check_whole(source: Path) -> None:
    """Raises BuildError for a .keras file that is damaged, Unreadable for what is no regular file."""
    if not source.is_dir() and source.suffix not in HDF5 and not is_hdf5(source) and damaged(source):
        raise BuildError(f"{source.name} is not a .keras file, or is cut short", "copy or save it again")


def damaged(path: Path) -> bool:
    """Whether it is not the zip archive that a .keras file is, or one whose contents have changed. Raises BuildError
    where it unpacks to more than a model has.
    """
    try:
        with opened_zip(path) as archive:
            members = archive.infolist()
            small = sum(member.file_size for member in members) <= UNPACKED_BYTES
            if small:
                return not members or archive.testzip() is not None
    except Unreadable:
        return True
    told = f"{path.name} unpacks to over {UNPACKED_BYTES >> 30} GiB, and no .tflite file holds so large a model"
    raise BuildError(told, "give a smaller model, or save it again")


def call(ref: FunctionRef, seed: int, folder: Path) -> str:
    """Calls the user's function and keeps what it returns, a Keras model or the path of one → the model's hash.

    The hash is of what the model is, not of the bytes that it is saved as: those differ each time.
    """
    import keras

    keras.utils.clear_session()  # layers without a name are numbered from 0 each time
    keras.utils.set_random_seed(seed)
    made = called(ref)
    if isinstance(made, str | Path):
        path = ref.folder / Path(made).expanduser()
        if not path.exists():
            raise BuildError(f"{ref.text} returned {made}, which does not exist", "paths are relative to its folder")
        check_whole(path)
        keep(path, folder)
        return path_sha256(path)
    if not isinstance(made, keras.Model):
        told = f"{ref.text} returned {type(made).__name__}, which is not a Keras model"
        raise BuildError(told, "return a keras.Model, or the path of a .keras file or a SavedModel")
    save(made, folder, f"the model of {ref.text}")
    return model_sha256(made, ref)


def called(ref: FunctionRef) -> Any:
    function = load_function(ref)
    try:
        with looking_in(ref.folder):  # it may import more than its module did
            return function()
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        told = f"{ref.text} failed: {type(error).__name__}: {error}"
        raise BuildError(told, "fix it; --debug shows where") from error


def save(model: Any, folder: Path, name: str) -> None:
    """Saves as model.keras where Keras alone can load it again; a model with code of its own as a SavedModel, without
    it.

    name: in a sentence. Imports nothing: whoever has a model has its Keras. Raises BuildError.
    """
    try:
        if stands_alone(model):
            model.save(folder / "model.keras")
            remove_date(folder / "model.keras")
        else:
            model.export(folder / "saved_model", verbose=False, input_signature=named_signature(model))
    except Exception as error:  # Keras raises whatever its layers raise
        told = f"{name} cannot be saved: {one_line(error)}"
        raise BuildError(told, "call it once on inputs of its shapes, or give the path of a SavedModel") from error


def remove_date(path: Path) -> None:
    """Writes a .keras file again without the time of saving, so that the same model is the same file, byte by byte."""
    part = path.with_suffix(".part")
    with zipfile.ZipFile(path) as dated, zipfile.ZipFile(part, "w") as undated:
        for member in dated.infolist():
            content = dated.read(member)
            if member.filename == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": ""}).encode()
            undated.writestr(zipfile.ZipInfo(member.filename), content)  # a ZipInfo is of 1980
    part.replace(path)


def named_signature(model: Any) -> list[Any] | None:
    """What a subclassed model takes, each tensor by its key or argument, where Keras would call them args_0 and so on.
    None for other models, and for one of a single tensor.
    """
    import keras

    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes or getattr(model, "inputs", None):
        return None
    if len(shapes) == 1 and not isinstance(next(iter(shapes.values())), dict):
        return None
    return [specs(name, shape, keras.backend.standardize_dtype(model.input_dtype)) for name, shape in shapes.items()]


def specs(name: str, shape: Any, dtype: str) -> Any:
    """The same structure with a TensorSpec of open batch in the place of each shape."""
    import tensorflow as tf

    if isinstance(shape, dict):
        return {key: specs(str(key), value, dtype) for key, value in shape.items()}
    if all(n is None or isinstance(n, int) for n in shape):
        return tf.TensorSpec((None, *shape[1:]), dtype, name)
    return type(shape)(specs(f"{name}_{n}", value, dtype) for n, value in enumerate(shape))


def stands_alone(model: Any) -> bool:
    """Whether all of it is Keras' own, without Python code in a Lambda."""
    layers = [model, *model._flatten_layers()]
    own = (type(layer).__module__.split(".")[0] == "keras" and type(layer).__name__ != "Lambda" for layer in layers)
    return all(own) and all(callable_of_keras(layer) for layer in layers)


def callable_of_keras(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return not callable(activation) or type(activation).__module__ == "keras" or module_of(activation) == "keras"


def module_of(function: Any) -> str:
    return str(getattr(function, "__module__", type(function).__module__)).split(".")[0]


def model_sha256(model: Any, ref: FunctionRef) -> str:
    """The hash of all that the model's answers depend on: structure, weights, and code that is not Keras' own."""
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
    """Layers, their options and how they are connected; for a model that cannot say so, the names of their classes."""
    try:
        return str(model.to_json())
    except Exception:  # a class of the user's without get_config: its code is hashed
        return " ".join(type(layer).__qualname__ for layer in model._flatten_layers())


def own_code(model: Any, ref: FunctionRef) -> Iterator[str]:
    """The hashes of the function's module with what it imports, of all that was imported from its folder, and of every
    module that defines a layer's class.
    """
    yield source_sha256(ref)
    yield from (file_sha256(path) for path in loaded_below(ref.folder) if path.exists())
    modules = {type(layer).__module__ for layer in [model, *model._flatten_layers()]}
    for name in sorted(name for name in modules if name.split(".")[0] != "keras"):
        if file := getattr(sys.modules.get(name), "__file__", None):
            yield file_sha256(Path(file))
