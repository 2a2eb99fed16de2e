"""State that a model keeps from one answer to the next: an answer begins with the model's initial state, or with what
the answer before it in the same clip left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SEED = "seed"  # in the name of a variable that random numbers come from: another seed each time is not state
LOOKS = 16  # restorations, besides those of clips, that look at every variable: an answer may leave state as it was


class State:
    """The variables that answers changed, and the values that they had before the first."""

    def __init__(self, variables: Sequence[Any]) -> None:
        """variables: those that an answer may change. Their values now are the initial state."""
        self._before = [(v, np.array(v.numpy())) for v in variables if SEED not in name_of(v)]
        self._moved: list[bool] = [False] * len(self._before)
        self._looks = 0
        self._in_clip = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names the variables that hold state, of those that were seen to change."""
        return tuple(name_of(v) for (v, _), moved in zip(self._before, self._moved, strict=True) if moved)

    def answered(self, call: Callable[[], Any], last: bool = True) -> Any:
        """call(), and the initial state is restored where that was the last answer of a clip."""
        answer = call()
        if last:
            self.restore()
        self._in_clip = not last
        return answer

    def restore(self) -> None:
        if self._looks < LOOKS or self._in_clip:
            self._looks += 1
            self._moved = [m or not same(*pair) for m, pair in zip(self._moved, self._before, strict=True)]
        for (variable, value), moved in zip(self._before, self._moved, strict=True):
            if moved:
                variable.assign(value)


def same(variable: Any, value: np.ndarray) -> bool:
    return np.array(variable.numpy()).tobytes() == value.tobytes()


def name_of(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name))
