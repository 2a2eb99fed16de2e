"""Which of the data's arrays goes to which input of a model, and what it becomes on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from harness.dataset import Dataset
from harness.device.tensors import to_tensor
from harness.errors import DataError
from harness.records import Affine, Tensor

WHOLE = ("int", "uint", "bool")  # dtypes of token ids and the like begin so
CHECKED_SAMPLES = 500  # are looked at for fractions where the model takes integers


@dataclass(frozen=True)
class Feed:
    """An input of the model with the data's shape at batch 1, the index of the array it is given, and its affine."""

    tensor: Tensor
    index: int
    affine: Affine

    def values(self, stored: Sequence[np.ndarray]) -> np.ndarray:
        """Stored samples as the model takes them, by the function that the device uses too."""
        form = {"dtype": self.tensor.dtype, "scale": None, "zero_point": None}
        return np.asarray(to_tensor(stored[self.index], asdict(self.affine), form))


def feeds_of(inputs: Sequence[Tensor], dataset: Dataset) -> tuple[Feed, ...]:
    """One a model input, in the model's order. Raises DataError where names, numbers or shapes do not fit."""
    order = order_of([tensor.name for tensor in inputs], dataset)
    return tuple(
        Feed(fitted(tensor, dataset.test_inputs[index]), index, dataset.affines[index])
        for tensor, index in zip(inputs, order, strict=True)
    )


def order_of(names: Sequence[str], dataset: Dataset) -> list[int]:
    """For each input of the model the index of the data's: by name where the data have names and there are several."""
    count = len(dataset.test_inputs)
    if count != len(names):
        told = f"the model has {len(names)} inputs ({', '.join(names)}), and the data {count}"
        advice = f"give {len(names)} arrays a sample, named as the model's inputs are"
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
    if len(wanted) != len(found) or not all(w in (f, -1) for w, f in zip(wanted, found, strict=True)):
        told = f"input {tensor.name} takes samples of shape {shape(wanted)}, and the data's are {shape(found)}"
        raise DataError(told, advice_for(wanted, found))
    if not tensor.dtype.startswith(("float", "int", "uint", "bool")):
        told = f"input {tensor.name} takes {tensor.dtype}, and the data hold numbers"
        raise DataError(told, "export the part of the model behind its reading of text or files")
    check_whole(tensor, stored)
    return Tensor(tensor.name, tensor.dtype, (1, *found), tensor.scale, tensor.zero_point)


def check_whole(tensor: Tensor, stored: np.ndarray) -> None:
    """Raises DataError where an input takes whole numbers as they are stored, and fractions are."""
    if tensor.scale is None and tensor.dtype.startswith(WHOLE) and stored.dtype.kind == "f":
        first = stored[:CHECKED_SAMPLES]
        if not np.array_equal(first, np.rint(first)):
            told = f"input {tensor.name} takes {tensor.dtype}, and the data hold fractions"
            raise DataError(told, f"store the {tensor.dtype} values that the model was trained on")


def advice_for(wanted: tuple[int, ...], found: tuple[int, ...]) -> str:
    """What would make samples of the shape `found` fit: the first of the usual slips that does."""
    fits = lambda given: len(given) == len(wanted) and all(w in (g, -1) for w, g in zip(wanted, given, strict=True))  # noqa: E731
    if len(found) == 3 and fits((*found[1:], found[0])):
        return "the channels stand first: store x.transpose(0, 2, 3, 1)"
    if len(found) == 3 and fits((found[2], *found[:2])):
        return "the channels stand last: store x.transpose(0, 3, 1, 2)"
    if fits((*found, 1)):
        return "a channel axis is missing: store x[..., np.newaxis]"
    if fits((1, *found)):
        return "a first axis is missing: store x[:, np.newaxis]"
    if found and found[-1] == 1 and fits(found[:-1]):
        return "there is a last axis too much: store x[..., 0]"
    if len(found) == 2 and fits(found[::-1]):
        return "the two axes are swapped: store x.transpose(0, 2, 1)"
    if len(found) == len(wanted) == 3 and fits((*wanted[:2], found[2])):
        return f"bring the images to {wanted[0]} × {wanted[1]}; for an image folder that is size = under [data]"
    if -1 not in wanted and np.prod(wanted) == np.prod(found):
        return f"store x.reshape(-1, {', '.join(map(str, wanted))}), if the values stand in that order"
    return "store the samples in the shape that the model takes"


def shape(lengths: tuple[int, ...]) -> str:
    """As Python writes it."""
    return f"({', '.join('any' if n < 0 else str(n) for n in lengths)}{',' if len(lengths) == 1 else ''})"
