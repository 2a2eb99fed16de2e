"""build/models/saved_model.py: what it makes of signatures, names and objects; tests/test_models.py loads real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.build.models import saved_model
from harness.build.models.saved_model import as_tensor, chosen, forget_optimisers, in_order, nodes_of
from harness.errors import BuildError
from harness.records import Tensor

FOLDER = Path("exported")


def test_outputs_that_are_counted_stand_in_the_order_of_their_numbers() -> None:
    names = ["output_10", "scores", "output_2", "output_x", "boxes", "output_0"]
    assert sorted(names, key=in_order) == ["boxes", "output_x", "scores", "output_0", "output_2", "output_10"]


@pytest.mark.parametrize(
    ("known", "taken"),
    [
        ({"serving_default": "a", "other": "b"}, "a"),
        ({"other": "b"}, "b"),
    ],
)
def test_the_signature_that_is_served_is_taken_or_the_only_one(known: dict[str, Any], taken: str) -> None:
    assert chosen(known, FOLDER) == taken


@pytest.mark.parametrize(
    ("known", "told"),
    [({}, "exported has no signature serving_default$"), ({"b": 1, "a": 2}, "serving_default, but a, b$")],
)
def test_which_signature_is_meant_is_not_guessed(known: dict[str, Any], told: str) -> None:
    with pytest.raises(BuildError, match=told) as caught:
        chosen(known, FOLDER)
    assert "signatures=" in caught.value.advice


def spec(rank: int | None, *shape: int | None) -> Any:
    whole = SimpleNamespace(rank=rank)
    return SimpleNamespace(
        shape=SizedShape(rank, shape) if rank is not None else whole,
        dtype=SimpleNamespace(base_dtype=SimpleNamespace(name="float32")),
    )


class SizedShape(tuple):
    """A shape of TensorFlow, as far as it is asked."""

    rank: int | None

    def __new__(cls, rank: int | None, shape: tuple[int | None, ...]) -> SizedShape:
        made = super().__new__(cls, shape)
        made.rank = rank
        return made


def test_an_open_dimension_is_minus_1_and_a_tensor_without_a_shape_is_refused() -> None:
    assert as_tensor("x", spec(3, None, 28, None)) == Tensor("x", "float32", (-1, 28, -1))
    with pytest.raises(BuildError, match="x has no shape") as caught:
        as_tensor("x", spec(None))
    assert "input signature" in caught.value.advice


def test_what_an_optimiser_keeps_is_no_child_of_anything() -> None:
    """Node 2 keeps slots for variables: it is the optimiser, and only it goes."""
    children = {0: [1, 2, 3], 1: [3], 2: [3], 3: []}
    nodes = [Node([SimpleNamespace(node_id=to) for to in children[n]], n == 2) for n in children]
    forget_optimisers(nodes)
    assert [[child.node_id for child in node.children] for node in nodes] == [[1, 3], [3], [3], []]
    assert not any(node.slot_variables for node in nodes)


class Node:
    """Of an object graph, as protobuf gives it."""

    def __init__(self, children: list[Any], keeps: bool) -> None:
        self.children, self.slot_variables = children, [object()] if keeps else []

    def ClearField(self, name: str) -> None:
        setattr(self, name, [])


def test_nodes_of_called_functions_are_the_graphs_too() -> None:
    library = SimpleNamespace(function=[SimpleNamespace(node_def=["c"]), SimpleNamespace(node_def=["d", "e"])])
    definition = SimpleNamespace(node=["a", "b"], library=library)
    function = SimpleNamespace(graph=SimpleNamespace(as_graph_def=lambda: definition))
    assert list(nodes_of(function)) == ["a", "b", "c", "d", "e"]


def test_a_batch_that_is_fixed_is_refused_where_it_is_not_1_and_so_is_unrolling(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace())
    model = object.__new__(saved_model.SavedModel)
    model.inputs = {"x": spec(2, 4, 10)}
    feed: Any = SimpleNamespace(whole=False, tensor=Tensor("x", "float32", (1, 10)))
    with pytest.raises(BuildError, match="only takes a batch of 4"):
        model.converter([feed])
    with pytest.raises(BuildError, match="cannot be unrolled"):
        model.converter([feed], unrolled=True)
