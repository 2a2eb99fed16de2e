"""Which of the data's arrays goes to which input of a model, and what it becomes on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from harness.device.tensors import to_tensor
from harness.errors import BuildError, ConfigError, DataError
from harness.records import Affine, Dataset, Tensor
from harness.support.arrays import stretches

WHOLE = ("int", "uint", "bool")  # prefixes of the dtypes of token ids and the like
SCALAR = "store one number a sample, as an array of shape (samples,)"


@dataclass(frozen=True)
class Feed:
    """An input of the model with the data's shape at batch 1, the index of the array it is given, and its affine.

    whole: the input has no batch axis; one sample is the whole tensor. carried: the place of the model's output that it
    takes at every sample of a clip but the first; None where the array holds what it is given.
    """

    tensor: Tensor
    index: int
    affine: Affine
    whole: bool = False
    carried: int | None = None

    def values(self, stored: Sequence[np.ndarray]) -> np.ndarray:
        """Stored samples as the model takes them, by the function that the device uses too."""
        form = {"dtype": self.tensor.dtype, "scale": None, "zero_point": None}
        return np.asarray(to_tensor(stored[self.index], asdict(self.affine), form))


def feeds_of(inputs: Sequence[Tensor], dataset: Dataset) -> tuple[Feed, ...]:
    """One a model input, in the model's order. Raises DataError where names, numbers or shapes do not fit, and
    ConfigError where whole numbers are to be scaled.
    """
    order = order_of([tensor.name for tensor in inputs], dataset)
    for tensor, index in zip(inputs, order, strict=True):
        check_unscaled(tensor, dataset.affines[index], len(order))
        for array in dataset.train_inputs[index : index + 1] if len(dataset.train_inputs) == len(order) else ():
            check_whole(tensor, array)
    carried = {each.fed: each.yielded for each in dataset.state}
    feeds = (feed(tensor, index, dataset) for tensor, index in zip(inputs, order, strict=True))
    return tuple(replace(each, carried=carried.get(each.index)) for each in feeds)


def feed(tensor: Tensor, index: int, dataset: Dataset) -> Feed:
    stored, affine = dataset.test_inputs[index], dataset.affines[index]
    if is_whole_sample(tensor.shape, stored.shape[1:]):
        whole = fitted(replace(tensor, shape=(1, *tensor.shape)), stored)
        return Feed(replace(whole, shape=stored.shape[1:]), index, affine, whole=True)
    return Feed(fitted(tensor, stored), index, affine)


def is_whole_sample(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Whether a tensor of the shape `wanted` has no batch axis, as where it takes a waveform, but holds one sample.

    An open first axis before others is a batch: one of several rows could be either.
    """
    if len(wanted) != len(found) or (wanted[:1] == (-1,) and len(wanted) > 1):
        return False
    return all(w in (f, -1) for w, f in zip(wanted, found, strict=True))


def order_of(names: Sequence[str], dataset: Dataset) -> list[int]:
    """For each input of the model the index of the data's: by name where the data have names and there are several."""
    count = len(dataset.test_inputs)
    if count != len(names):
        told = f"the model has {len(names)} inputs ({', '.join(names)}), but the data {count}"
        advice = f"give {len(names)} arrays a sample, named as the model's inputs are"
        advice += "; state that your program carries is named under [state]" if count < len(names) else ""
        raise DataError(told + (f" ({', '.join(dataset.input_names)})" if dataset.input_names else ""), advice)
    if count == 1 or not dataset.input_names:
        return list(range(count))
    if set(names) != set(dataset.input_names):
        told = f"the data's inputs are {', '.join(dataset.input_names)}; the model's are {', '.join(names)}"
        raise DataError(told, "name the arrays as the model's inputs are named")
    return [dataset.input_names.index(name) for name in names]


def fitted(tensor: Tensor, stored: np.ndarray) -> Tensor:
    """The model's input with the data's lengths where it leaves its own open, at batch 1. Raises DataError."""
    wanted, found = tensor.shape[1:], stored.shape[1:]
    if not tensor.shape:
        raise DataError(f"input {tensor.name} takes a single number, but the data's samples are {shape(found)}", SCALAR)
    if len(wanted) != len(found) or not all(w in (f, -1) for w, f in zip(wanted, found, strict=True)):
        told = f"input {tensor.name} takes samples of shape {shape(wanted)}, but the data's are {shape(found)}"
        raise DataError(told, advice_for(wanted, found))
    if not tensor.dtype.startswith(("float", "int", "uint", "bool")):
        told = f"input {tensor.name} takes {tensor.dtype}, but the data are numbers"
        raise DataError(told, "export only the part of the model after it has read text or files")
    check_whole(tensor, stored)
    return Tensor(tensor.name, tensor.dtype, (1, *found), tensor.scale, tensor.zero_point)


def check_whole(tensor: Tensor, stored: np.ndarray) -> None:
    """Raises DataError where an input takes whole numbers as they are stored, and fractions or others are."""
    if not is_whole(tensor) or np.can_cast(stored.dtype, tensor.dtype):
        return
    advice = f"store the {tensor.dtype} values that the model was trained on"
    lowest, highest = (0, 1) if tensor.dtype == "bool" else (np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max)
    for part in stretches(stored):
        if stored.dtype.kind == "f" and not np.array_equal(part, np.rint(part)):
            raise DataError(f"input {tensor.name} takes {tensor.dtype}, but the data have fractions", advice)
        if part.size and (part.min() < lowest or part.max() > highest):
            told = f"input {tensor.name} takes {tensor.dtype}, {lowest} to {highest}, but the data hold "
            raise DataError(told + f"{part.min() if part.min() < lowest else part.max()}", advice)


def check_unscaled(tensor: Tensor, affine: Affine, count: int) -> None:
    """Raises ConfigError where an input of whole numbers, which get there as they are stored, has a scale or offset."""
    if is_whole(tensor) and affine != Affine():
        told = f"input {tensor.name} takes {tensor.dtype} as it is stored, but [data] gives it a scale or an offset"
        by_name = "write them for the other inputs by name: scale = { image = 0.0039 }"
        raise ConfigError(told, by_name if count > 1 else "remove scale and offset under [data]")


def check_numbers(outputs: Sequence[Tensor]) -> None:
    """Raises BuildError where an output is text, or a complex number: no metric is of such."""
    for tensor in outputs:
        if not tensor.dtype.startswith(("float", "bfloat", *WHOLE)):
            told = f"output {tensor.name} is of dtype {tensor.dtype}, and only numbers are compared"
            raise BuildError(told, "export the model without that output, or with the numbers that it is made from")


def is_whole(tensor: Tensor) -> bool:
    """Whether it takes whole numbers as they are, not as steps of a scale."""
    return tensor.scale is None and tensor.dtype.startswith(WHOLE)


def advice_for(wanted: tuple[int, ...], found: tuple[int, ...]) -> str:
    """What would make samples of the shape `found` fit: the first of the usual mistakes that does."""
    fits = lambda given: len(given) == len(wanted) and all(w in (g, -1) for w, g in zip(wanted, given, strict=True))  # noqa: E731
    if len(found) == 3 and fits((*found[1:], found[0])):
        return "the channels come first: store x.transpose(0, 2, 3, 1)"
    if len(found) == 3 and fits((found[2], *found[:2])):
        return "the channels come last: store x.transpose(0, 3, 1, 2)"
    if fits((*found, 1)):
        return "a channel axis is missing: store x[..., np.newaxis]"
    if fits((1, *found)):
        return "a leading axis is missing: store x[:, np.newaxis]"
    if found and found[-1] == 1 and fits(found[:-1]):
        return "one trailing axis too many: store x[..., 0]"
    if len(found) == 2 and fits(found[::-1]):
        return "the two axes are swapped: store x.transpose(0, 2, 1)"
    if len(found) == len(wanted) == 3 and fits((*wanted[:2], found[2])):
        return f"bring the images to {wanted[0]} × {wanted[1]}; for an image folder that is size = under [data]"
    if -1 not in wanted and np.prod(wanted) == np.prod(found):
        return f"store x.reshape(-1, {', '.join(map(str, wanted))}), if the values are in that order"
    return "store the samples in the shape that the model takes"


def shape(lengths: tuple[int, ...]) -> str:
    """Writes the shape as Python does."""
    return f"({', '.join('any' if n < 0 else str(n) for n in lengths)}{',' if len(lengths) == 1 else ''})"
