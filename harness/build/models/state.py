"""State that a model keeps from one answer to the next: every answer is to begin with the model's initial state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SEED = "seed"  # in the name of a variable that random numbers come from: another seed each time is not state


class State:
    """The variables that the first answer changed, and the values that they had before."""

    def __init__(self, variables: Sequence[Any]) -> None:
        """variables: those that an answer may change. Their values now are the initial state."""
        self._before = [(v, np.array(v.numpy())) for v in variables if SEED not in name_of(v)]
        self._looked = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names the variables that hold state. Empty before the first answer."""
        return tuple(name_of(variable) for variable, _ in self._before) if self._looked else ()

    def answered(self, call: Callable[[], Any]) -> Any:
        """call(), and the initial state is restored."""
        answer = call()
        if not self._looked:
            self._before = [(v, value) for v, value in self._before if not same(v, value)]
            self._looked = True
        for variable, value in self._before:
            variable.assign(value)
        return answer


def same(variable: Any, value: np.ndarray) -> bool:
    return np.array(variable.numpy()).tobytes() == value.tobytes()


def name_of(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name))
