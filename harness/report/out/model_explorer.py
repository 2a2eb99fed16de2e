"""The error that each op adds as node data of Model Explorer, which draws it on the graph of the variant's file.

The form is that of its node_data_builder: graph id → results by the name of a tensor that the node gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite

from harness.diagnosis.explanation import Explanation
from harness.records.names import row_name

GRAPH = "main"  # how Model Explorer knows the main graph of a .tflite file
NAMED = {"bgColor": "#a83c00", "textColor": "#ffffff"}  # of an op at which a cause is named
THRESHOLDS = ((1.0, "#d9efe4"), (3.0, "#fff3b0"), (10.0, "#ffc98a"), (1e9, "#ff9d66"))  # % at most → colour


def render(found: Explanation) -> str:
    """Return the file as JSON. An op whose error is not known is left out: it is no 0."""
    named = {cause.place for cause in found.causes if not cause.seen}
    results = {
        tensor: {"value": share} | (NAMED if place in named else {}) for place, tensor, share in errors_added(found)
    }
    thresholds = [{"value": value, "bgColor": colour} for value, colour in THRESHOLDS]
    told = {"name": f"error added, %: {row_name(found.case)}", "results": results, "thresholds": thresholds}
    return json.dumps({GRAPH: told}, indent=2)


def errors_added(found: Explanation) -> Iterator[tuple[int, str, float]]:
    """Yield each op's place, the tensor that it gives, and the error that it adds, in % of its numbers."""
    for layer in found.layers:
        if layer.added_db is not None and isfinite(layer.added_db):
            yield layer.place, layer.tensor, 100 * 10 ** (-layer.added_db / 20)
