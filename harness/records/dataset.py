"""What a model is tested on: inputs as they are stored, the affine that makes them model inputs, and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness.records.model import Affine

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np


@dataclass(frozen=True, eq=False)
class Labelled:
    """The test labels of an output beside the scored one, (samples, …), and what its classes are called."""

    labels: np.ndarray
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Carried:
    """State that the program around a model carries: an input takes at each sample but the first of a clip what an
    output gave for the sample before it.

    yielded: the output's place among the baseline's outputs; fed: the input's place among the arrays of the data.
    """

    output: str
    input: str
    yielded: int
    fed: int

    def in_file(self, feeds: Sequence[int], yields: Sequence[int]) -> tuple[int, int]:
        """Returns the places of the output and the input in a .tflite file. feeds, yields: as Variant has them."""
        return (
            yields[self.yielded] if yields else self.yielded,
            list(feeds).index(self.fed) if feeds else self.fed,
        )

    def __str__(self) -> str:
        return f"{self.output} → {self.input}"


@dataclass(frozen=True, eq=False)  # arrays do not compare to one bool; the hashes below do
class Dataset:
    """Training and test samples, one array an input of the model, first axis the sample, dtype as stored.

    Arrays may be memory-mapped, and larger than memory.
    """

    name: str
    train_inputs: tuple[np.ndarray, ...]
    train_labels: np.ndarray | None  # None where the training samples serve calibration alone
    test_inputs: tuple[np.ndarray, ...]
    test_labels: np.ndarray | None  # None where there are none to score by
    affines: tuple[Affine, ...]  # one an input
    class_names: tuple[str, ...]  # () where the labels are not classes
    source: str  # where the samples came from, in words for the report
    input_names: tuple[str, ...] = ()  # the model's, in the order of the arrays; () where that is the model's own
    labels_of: str = ""  # the output that the labels were given for by its name; "" where they were not
    heads: dict[str, Labelled] = field(default_factory=dict)  # by name, of the outputs beside that one
    clips: np.ndarray | None = None  # the clip of each test sample, (samples,), in order; None: each stands by itself
    groups: np.ndarray | None = None  # the group of each test sample, (samples,); None where all are independent
    numbers: np.ndarray | None = None  # of each test sample in the user's own order, (samples,); None: in that order
    queries: np.ndarray | None = None  # which test samples ask the gallery, bool; None: each asks all others
    pairs: np.ndarray | None = None  # of test samples that are verified, by their places, (pairs, 2); None: every pair
    train_clips: np.ndarray | None = None  # of the training samples; None where they name none
    state: tuple[Carried, ...] = ()  # of which input arrays hold what a clip begins with, and nothing after that

    @property
    def test_count(self) -> int:
        return len(self.test_inputs[0])

    def of_head(self, name: str) -> Dataset:
        """Returns the test set with the labels of this output, as if it were the scored one."""
        head = self.heads[name]
        return replace(
            self, test_labels=head.labels, train_labels=None, class_names=head.class_names, labels_of=name, heads={}
        )

    @cached_property
    def train_sha256(self) -> str:
        """Hash of the training samples, labels and clips: dtypes, shapes and bytes."""
        from harness.support.arrays import sha256_of

        return sha256_of(*self.train_inputs, self.train_labels, *tagged("clips", self.train_clips))

    @cached_property
    def test_sha256(self) -> str:
        """Hash of the test samples, all labels and clips: dtypes, shapes and bytes. Groups change no answer."""
        from harness.support.arrays import sha256_of

        named = [array for name in sorted(self.heads) for array in tagged(name, self.heads[name].labels)]
        return sha256_of(*self.test_inputs, self.test_labels, *tagged("clips", self.clips), *named)

    @cached_property
    def times(self) -> np.ndarray:
        """How often each different test sample is there, by its inputs, (different samples,). 8 bytes a sample."""
        import numpy as np

        from harness.support.arrays import digests

        hashes = (int.from_bytes(digest[:8], "little") for digest in digests(self.test_inputs))
        return np.unique(np.fromiter(hashes, np.uint64), return_counts=True)[1]

    @cached_property
    def marks_sha256(self) -> str:
        """Hash of the clips, groups, numbers, queries and pairs of the test samples; "" where there are none."""
        from harness.support.arrays import sha256_of

        marks = ("clips", "groups", "numbers", "queries", "pairs")
        named = ((name, getattr(self, name)) for name in marks)
        known = [array for name, own in named for array in tagged(name, own)]
        return sha256_of(*known) if known else ""

    @cached_property
    def starts(self) -> np.ndarray | None:
        """The places of the test samples with which a clip begins; None where each sample stands by itself."""
        return None if self.clips is None else starts_of(self.clips)


def tagged(name: str, array: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Returns what is hashed of an array that may lack: its name stands before it, so that it passes for no other."""
    import numpy as np

    return () if array is None else (np.array([name.encode()]), array)


def starts_of(clips: np.ndarray) -> np.ndarray:
    """Returns the places at which a clip begins. clips: of each sample, (samples,), each clip in one piece."""
    import numpy as np

    return np.flatnonzero(np.diff(clips, prepend=-1))


def starts_within(starts: np.ndarray | None, first: int, last: int) -> np.ndarray | None:
    """Returns the places at which a clip begins, counted from sample `first`, of the samples first ≤ sample < last."""
    return None if starts is None else starts[(starts >= first) & (starts < last)] - first


def places(count: int, most: int, starts: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """Yields (first, last) of parts of `count` samples, of `most` each at most, cut between clips alone: one that is
    longer is a part by itself.
    """
    ends = range(1, count + 1) if starts is None else [*starts[1:].tolist(), count]
    first = last = 0
    for end in ends:
        if end - first > most and last > first:
            yield first, last
            first = last
        last = end
    if last > first:
        yield first, last
