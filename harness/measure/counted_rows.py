"""Which outputs of a .tflite file hold only as many rows as another output counts."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Unreadable
from harness.support.foreign import read_bytes

COUNTING = b"TFLite_Detection_PostProcess"  # gives boxes, classes, scores, and their number
MODEL_BYTES = 2 << 30  # a flatbuffer has no more
Counts = tuple[tuple[int, tuple[int, ...]], ...]


def counts_of(path: Path) -> Counts:
    """(the output that counts, the outputs of so many rows), for each op that leaves the rows after these unwritten:
    they hold what was in that memory, such as another sample's. () for a file that is no whole .tflite file.
    """
    try:
        content = read_bytes(path, MODEL_BYTES)
    except Unreadable:
        return ()
    if COUNTING not in content:
        return ()
    try:
        return _counts(content)
    except Exception:  # flatbuffers checks nothing: damage ends in any of seven exceptions
        return ()


def _counts(content: bytes) -> Counts:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    places = {int(graph.Outputs(n)): n for n in range(graph.OutputsLength())}
    found = []
    for n in range(graph.OperatorsLength()):
        operator = graph.Operators(n)
        if model.OperatorCodes(operator.OpcodeIndex()).CustomCode() == COUNTING:
            *rows, count = (int(operator.Outputs(k)) for k in range(operator.OutputsLength()))
            if count in places:
                found.append((places[count], tuple(places[row] for row in rows if row in places)))
    return tuple(found)
