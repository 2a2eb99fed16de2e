"""The whole's time shared among its ops: by hand where rounds are given, and on this machine's own engine."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from harness.diagnosis.bench import Numbers
from harness.diagnosis.graph import Graph
from harness.diagnosis.op_times import forms_of, shared
from tests.made_runs import case, timed
from tests.stateful_files import File
from tests.test_stored_row import run

__all__ = ["run"]  # a fixture


def rounds(times_us):
    """One round a dict: the name of a file → µs."""
    return [
        timed(case(f"explain-{name}"), index, [int(1000 * us)] * 5)
        for index, of_round in enumerate(times_us)
        for name, us in of_round.items()
    ]


def test_what_the_ops_do_not_make_up_is_the_rest():
    found = shared(rounds([{"whole": 100, "op0": 40, "op3": 10}] * 3), {"op0": [0], "op3": [3, 4]}, 5)
    assert [(op.place, op.us) for op in found.ops] == [(0, 40), (3, 10), (4, 10)]
    assert (found.whole_us, found.rest_us, found.rounds, found.untimed) == (100, 40, 3, 2)


def test_ops_that_take_longer_one_by_one_are_scaled_to_the_whole():
    found = shared(
        rounds([{"whole": 60, "op0": 80, "op1": 40}, {"whole": 90, "op0": 80, "op1": 40}]), {"op0": [0], "op1": [1]}, 2
    )
    assert [op.us for op in found.ops] == [50, 25] and [op.alone_us for op in found.ops] == [80, 40]
    assert found.rest_us == 0 and found.whole_us == 75


def test_an_op_that_a_round_lacks_has_no_time_and_no_whole_no_times():
    found = shared(rounds([{"whole": 100, "op0": 40}, {"whole": 100}]), {"op0": [0]}, 1)
    assert not found.ops and found.rest_us == 100 and found.untimed == 1
    assert shared(rounds([{"op0": 40}]), {"op0": [0]}, 1).reason == "no round of the whole file counts"


def test_the_ops_of_a_row_are_timed_on_its_device(run, harness):
    code, said, told = harness("explain", "latest", "-v", "good", "--times", "--json")
    assert code == 0 and "beside the whole file: about" in told, told
    times = json.loads(said)["times"]
    assert times["reason"] == "" and times["rounds"] >= 1 and times["whole_us"] > 0
    assert len(times["ops"]) >= 4 and times["untimed"] == 0
    assert sum(op["us"] for op in times["ops"]) + times["rest_us"] == pytest.approx(times["whole_us"], rel=0.2)


def test_ops_of_other_options_are_timed_each_by_itself():
    """Two of three ADD ops have equal shapes and options; the third is followed by a RELU of its own."""
    file = File()
    graph = file.graph()
    wires = [graph.tensor(name) for name in ("x", "a", "b", "y")]
    for n, activation in enumerate((0, 0, 1)):
        options = schema.AddOptionsT()
        options.fusedActivationFunction = activation
        kind = schema.BuiltinOptions.AddOptions
        graph.op(schema.BuiltinOperator.ADD, [wires[n], wires[n]], [wires[n + 1]], kind, options)
    graph.end([wires[0]], [wires[-1]])
    made = Graph(file.bytes())
    held = dict.fromkeys(wires, Numbers(np.zeros((1, 1), np.float32), None))
    assert [[op.place for op in ops] for ops in forms_of(made, held).values()] == [[0, 1], [2]]
    assert made.upstream == {0: {0}, 1: {0, 1}, 2: {0, 1, 2}}
