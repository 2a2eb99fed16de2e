"""Whether a .tflite file keeps state from one invoke to the next, and what brings it back to its initial state."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from harness.records.terms import Reset
from harness.support.foreign import open_regular


def reset_of(path: Path) -> Reset:
    """What has to be reset before a sample, so that no answer depends on the samples before it.

    "variables": the file has variable tensors, as fused LSTMs and SVDF do; the interpreter's reset_all_variables()
    clears those of the main subgraph. "interpreter": it assigns resource variables, or has variable tensors in another
    subgraph; only a new interpreter begins anew. "none": it keeps nothing, or it is no whole .tflite file, which the
    runtime then says itself.
    """
    try:
        with open_regular(path) as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
            return _reset(content)
    except Exception:  # flatbuffers checks nothing: damage ends in any of seven exceptions
        return "none"


def _reset(content: Any) -> Reset:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graphs = [model.Subgraphs(n) for n in range(model.SubgraphsLength())]
    once = {n for graph in graphs for n in _run_once(schema, model, graph)}  # they run at the first invoke alone
    assigns = any(
        code == schema.BuiltinOperator.ASSIGN_VARIABLE
        for n, graph in enumerate(graphs)
        if n not in once
        for code, _ in _operators(model, graph)
    )
    if assigns or any(_has_variables(graph) for graph in graphs[1:]):
        return "interpreter"
    return "variables" if graphs and _has_variables(graphs[0]) else "none"


def _operators(model: Any, graph: Any) -> Iterator[tuple[int, Any]]:
    """(builtin code, operator) of each."""
    for n in range(graph.OperatorsLength()):
        operator = graph.Operators(n)
        code = model.OperatorCodes(operator.OpcodeIndex())
        yield max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), operator


def _run_once(schema: Any, model: Any, graph: Any) -> Iterator[int]:
    """The subgraphs that CALL_ONCE runs."""
    for code, operator in _operators(model, graph):
        if code == schema.BuiltinOperator.CALL_ONCE:
            options = schema.CallOnceOptions()
            table = operator.BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
            yield options.InitSubgraphIndex()


def _has_variables(graph: Any) -> bool:
    return any(graph.Tensors(n).IsVariable() for n in range(graph.TensorsLength()))
