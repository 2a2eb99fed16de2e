"""The recipes: each is a function that configures TensorFlow's converter.

A recipe declares what must be true of its file; artifact/ checks it. To add a variant, add a function.
A recipe of the user's is a function too, `recipe(converter, calibration)`: calibration is what the converter takes as
representative_dataset. Either kind returns None, or the file's bytes where another tool finishes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import fresh
from harness.build.models.feed import Feed
from harness.build.variants.adjusting import adjusted_quantizer
from harness.build.variants.repeatable import repeatable_quantizer
from harness.errors import BuildError, ConfigError
from harness.records import Adjusted
from harness.support.format import nearest
from harness.support.functions import FunctionRef, load_function, looking_in


@dataclass(frozen=True)
class Expectation:
    """What a recipe promises: dtypes of inputs and outputs, of the large weights, and of what flows between the ops.

    smallest: weight tensors of fewer values are left as they are. partly: what the ops cannot do so is left in float32.
    kept: tensors that are float32 all the same; before it is known which there are, globs of their names.
    """

    io: str
    weights: str
    activations: str
    smallest: int = 0
    partly: bool = False
    kept: tuple[str, ...] = ()


OTHER_OPS = "write that part of the model with other operations"
IN_FLOAT32 = "give the Keras model as a .keras file, which is converted under float32, or save it under that policy"
UNROLLED = "int8_unrolled writes its steps out instead, for a .keras or .h5 file; dynamic_range needs no calibration"
STATEFUL = (
    "TFLite reads the state that a recurrent layer keeps in float32 alone; int8_or_float leaves it so, and saved with "
    "stateful=False, which answers the same where every sample begins with the initial state, there is int8_unrolled"
)
NOT_CALIBRATED = "there are no samples to calibrate it with", "give some: calibration = under [data]"
REFUSED_OP = re.compile(r"error: .*?('tf\S*' op .+)")
NOT_YET = re.compile(r"Quantization to (\S+) not yet supported for op: '(\w+)'")


class Unsupported(BuildError):
    """The converter makes no such file of this model."""


Configure = Callable[[Any], bytes | None]
Sample = list[np.ndarray] | dict[str, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """package: a distribution that it needs besides TensorFlow. unrolled: recurrent layers are written out.
    named: it is only built where it is named. adjusted: what a recipe file changes of it; None where there is none.
    """

    name: str
    configure: Configure
    expectation: Expectation
    calibrated: bool
    package: str = ""
    unrolled: bool = False
    named: bool = False
    adjusted: Adjusted | None = None

    def under(self, adjusted: Adjusted) -> Recipe:
        """Returns it as a recipe file changes it: layers that stay in float32 are a part of what it promises."""
        kept = adjusted.keep_float
        promised = replace(self.expectation, partly=self.expectation.partly or bool(kept), kept=kept)
        return replace(self, expectation=promised, adjusted=adjusted)


RECIPES: dict[str, Recipe] = {}


def variant(
    name: str,
    *,
    io: str = "float32",
    weights: str,
    activations: str,
    smallest: int = 0,
    partly: bool = False,
    calibrated: bool = False,
    package: str = "",
    unrolled: bool = False,
    named: bool = False,
) -> Callable[[Configure], Configure]:
    """Registers a recipe under its name, with what it promises."""

    def register(configure: Configure) -> Configure:
        promised = Expectation(io, weights, activations, smallest, partly)
        RECIPES[name] = Recipe(name, configure, promised, calibrated, package, unrolled, named or bool(package))
        return configure

    return register


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ConfigError(f"there is no variant {name!r}", nearest(name, RECIPES, "the variants are"))
    return RECIPES[name]


@variant("float32", weights="float32", activations="float32")
def float32(converter: Any) -> None:
    """The control: its differences from Keras come from conversion, not from quantisation."""


@variant("float16", weights="float16", activations="float32")
def float16(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


@variant("dynamic_range", weights="int8", activations="float32", smallest=1024)
def dynamic_range(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Per-channel dense weights need FULLY_CONNECTED version 12, which tflite-runtime 2.14 lacks.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


@variant("int8", io="int8", weights="int8", activations="int8", calibrated=True)
def int8(converter: Any) -> None:
    import tensorflow as tf

    int8_float_io(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


@variant("int8_float_io", weights="int8", activations="int8", calibrated=True)
def int8_float_io(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


@variant("int16x8", weights="int8", activations="int16", calibrated=True)
def int16x8(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]


@variant("int8_unrolled", io="int8", weights="int8", activations="int8", calibrated=True, unrolled=True, named=True)
def int8_unrolled(converter: Any) -> None:
    """For models with LSTM or GRU layers, whose loops TensorFlow cannot calibrate."""
    int8(converter)


@variant("int8_or_float", weights="int8", activations="int8", partly=True, calibrated=True, unrolled=True, named=True)
def int8_or_float(converter: Any) -> None:
    """int8 where TFLite has an op for it, float32 where it has not. Known recurrent layers are written out."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]


@repeatable_quantizer()
def convert(
    model_path: Path,
    make: Recipe | FunctionRef,
    feeds: Sequence[Feed],
    calibration: tuple[np.ndarray, ...],
    target: Path,
    select_ops: bool = False,
) -> tuple[str, ...]:
    """Writes the .tflite file that a recipe, or a function of the user's, makes of the model, at a static batch of 1.
    Returns the names of the layers that a recipe file's keep_float chose.

    feeds: one an input of the model. calibration: samples as stored, one array an input of the data; () for none.
    select_ops: whether ops that need TensorFlow's own kernels are allowed. Raises BuildError where they are needed and
    are not; else whatever the converter raises.
    """
    model = fresh(model_path)
    converter = model.converter(feeds, isinstance(make, Recipe) and unrolls(make, model_path))
    given = partial(samples, feeds, calibration)
    if isinstance(make, Recipe):
        if make.calibrated:
            converter.representative_dataset = given
        made = make.configure(converter)
    else:
        with looking_in(make.folder):
            made = load_function(make)(converter, given)
    with adjusted_quantizer(make.adjusted if isinstance(make, Recipe) else None, given) as kept:
        target.write_bytes(converted(converter, select_ops, model.facts.half) if made is None else made)
    return tuple(sorted(kept))


def unrolls(recipe: Recipe, model_path: Path) -> bool:
    """Whether recurrent layers are to be written out. Those of a SavedModel are not known: a file that may be partly
    float is made of its loops, which the converter may fuse.
    """
    return recipe.unrolled and not (recipe.expectation.partly and model_path.is_dir())


def converted(converter: Any, select_ops: bool, half: str = "") -> bytes:
    """half: the model's dtype policy where it computes in 16 bits."""
    import tensorflow as tf

    if select_ops:
        allowed = set(converter.target_spec.supported_ops) | {tf.lite.OpsSet.SELECT_TF_OPS}
        converter.target_spec.supported_ops = sorted(allowed, key=lambda ops: str(ops.value))
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises a class of its own for this, and others
        if refused := NOT_YET.search(str(error)):
            raise Unsupported(f"TensorFlow's converter has no {refused[1]} form of the op {refused[2]}") from error
        if custom := ops_named("Custom", str(error)):
            told = f"TFLite has no op for {', '.join(custom)}, not even with TensorFlow's kernels"
            raise BuildError(told, OTHER_OPS) from error
        if missing := ops_named("TF Select", str(error)):
            told = f"TFLite has no built-in op for {', '.join(missing)}"
            if half:
                raise BuildError(f"{told} in {half}", IN_FLOAT32) from error
            raise BuildError(told, OTHER_OPS) from error
        if said := REFUSED_OP.search(str(error)):  # behind the places in the code that it comes from
            raise BuildError(f"TensorFlow's converter says: {said[1]}", OTHER_OPS) from error
        raise


def ops_named(kind: str, error: str) -> list[str]:
    """The ops that the converter lists under "Custom ops:" or "TF Select ops:" where it gives up."""
    lines = re.findall(rf"^\s*{kind} ops: (.+)$", error, re.MULTILINE)
    return sorted({name.strip() for line in lines for name in line.split(",") if name.strip()})


def samples(feeds: Sequence[Feed], stored: tuple[np.ndarray, ...]) -> Iterator[Sample]:
    """One sample at a time as the model takes it, at batch 1; several inputs by name: the file's order is its own.

    Raises BuildError where there are none.
    """
    if not stored:
        raise BuildError(*NOT_CALIBRATED)
    for n in range(len(stored[0])):
        values = [feed.values([array[n : n + 1] for array in stored]) for feed in feeds]
        yield values if len(feeds) == 1 else {f.tensor.name: v for f, v in zip(feeds, values, strict=True)}
