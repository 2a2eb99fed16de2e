"""Which test samples belong together: clips, whose samples follow one another, and groups, which are not independent.

Both are named by numbers or texts as a user has them, and are numbered from 0 here, in the order in which they come.
"""

from __future__ import annotations

import numpy as np

from harness.data.on_disk import Samples
from harness.errors import DataError

Numbered = tuple[np.ndarray, list[str]]  # the number of each sample's, int32 (samples,), and the names of the numbers


def settle_groups(name: str, test: Samples) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns the clip and the group of each sample, None where there are none; a clip is a group where no group is
    named, and groups of one sample each are none. name: of the experiment. Raises DataError where a clip is in several
    pieces, or in several groups.
    """
    if test.clips is None:
        return None, None if test.groups is None else unless_single(numbered(name, "group", test.groups, test)[0])
    clips, names = numbered(name, "clip", test.clips, test)
    check_pieces(name, clips, names)
    if test.groups is None:
        return clips, unless_single(clips)
    groups, _ = numbered(name, "group", test.groups, test)
    check_nested(name, clips, names, groups)
    return clips, unless_single(groups)


def settle_clips(name: str, training: Samples) -> np.ndarray | None:
    """Returns the clip of each training sample, None where they name none, or an array is the test set's alone."""
    if training.clips is None or len(training.clips) != len(training.inputs[0]):
        return None
    return numbered(name, "calibration clip", training.clips, training)[0]


def unless_single(groups: np.ndarray) -> np.ndarray | None:
    return groups if groups.max() + 1 < len(groups) else None


def numbered(name: str, what: str, given: np.ndarray, test: Samples) -> Numbered:
    """Numbers what was given from 0, in the order in which it comes. Raises DataError where it is not one a sample."""
    marks = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if marks.shape != (len(test.inputs[0]),) or marks.dtype.kind not in "uifbUS":
        told = f"{name}: the {what}s are {given.dtype} of shape {given.shape}, for {len(test.inputs[0])} samples"
        raise DataError(told, f"give one number or one text a sample, which says of which {what} it is")
    if marks.dtype.kind == "f" and not np.isfinite(marks).all():
        raise DataError(f"{name}: some {what}s are NaN or infinite", f"say of each sample of which {what} it is")
    found, first, which = np.unique(marks, return_index=True, return_inverse=True)
    order = np.argsort(first)
    numbers = np.empty(len(found), np.int32)
    numbers[order] = np.arange(len(found))
    return numbers[which], [text(found[n]) for n in order]


def text(mark: object) -> str:
    return mark.decode("utf-8", "replace") if isinstance(mark, bytes) else str(mark)


def check_pieces(name: str, clips: np.ndarray, names: list[str]) -> None:
    """Raises DataError where other samples stand between those of one clip: the first sample that comes too late."""
    late = np.flatnonzero(clips < np.maximum.accumulate(clips))
    if late.size:
        place = int(late[0])
        before = int(np.flatnonzero(clips[:place] == clips[place])[-1])
        told = f"{name}: clip {names[clips[place]]} is in several pieces: sample {before} is of it, and {place} again"
        raise DataError(told, "sort the test set so that each clip is in one piece, its samples in their own order")


def check_nested(name: str, clips: np.ndarray, names: list[str], groups: np.ndarray) -> None:
    """Raises DataError where one clip is of several groups: its samples would count as independent."""
    torn = np.flatnonzero((np.diff(clips) == 0) & (np.diff(groups) != 0))
    if torn.size:
        told = f"{name}: the samples of clip {names[clips[torn[0]]]} are of several groups"
        raise DataError(told, "give all samples of a clip one group, or leave group out: a clip is a group itself")
