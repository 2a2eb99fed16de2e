"""build/models/state.py: an answer begins with the initial state, or in a clip with what the one before it left."""

from __future__ import annotations

import numpy as np

from harness.build.models.state import LOOKS, State


class Variable:
    """What Keras and TensorFlow have in common."""

    def __init__(self, path: str, value: float = 0.0) -> None:
        self.path = self.name = path
        self.value = np.array(value)

    def numpy(self) -> np.ndarray:
        return self.value

    def assign(self, value: np.ndarray) -> None:
        self.value = np.array(value)


class Sum:
    """A model that answers the sum of all that it was asked since it was in its initial state, which is 1."""

    def __init__(self) -> None:
        self.kept, self.seed, self.weight = Variable("sum", 1.0), Variable("seed_generator"), Variable("weight", 3.0)
        self.state = State([self.kept, self.seed, self.weight])

    def ask(self, x: float, last: bool = True) -> float:
        def call() -> float:
            self.kept.assign(self.kept.value + x)
            self.seed.assign(self.seed.value + 1)
            return float(self.kept.value)

        return float(self.state.answered(call, last))


def test_every_answer_begins_with_the_initial_state():
    model = Sum()
    assert [model.ask(x) for x in (2, 5, 2)] == [3, 6, 3]
    assert model.state.names == ("sum",)
    assert model.seed.value == 3  # another seed each time is not state


def test_state_is_carried_until_the_last_answer_of_a_clip():
    model = Sum()
    assert [model.ask(x, last) for x, last in ((2, False), (5, False), (1, True), (4, False), (4, True))] == [
        3,
        8,
        9,
        5,
        9,
    ]
    assert model.kept.value == 1


def test_state_that_the_first_answers_do_not_change_is_found():
    model = Sum()
    assert [model.ask(x) for x in (0, 0, 7, 7)] == [1, 1, 8, 8]
    late = Sum()
    for _ in range(LOOKS):
        late.ask(0)
    assert [late.ask(x, last) for x, last in ((7, False), (0, True), (2, True))] == [8, 8, 3]
