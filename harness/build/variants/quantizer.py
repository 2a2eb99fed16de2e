"""Recipes by ai-edge-quantizer, an extra: they finish the converter's float32 file.

Some runtimes run such files wrongly without an error: only their answers on each device count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.build.variants import Sample, variant

PACKAGE = "ai-edge-quantizer"
SIGNATURE = "serving_default"


@variant("aeq_dynamic_int8", weights="int8", activations="float32", package=PACKAGE)
def aeq_dynamic_int8(converter: Any) -> bytes:
    from ai_edge_quantizer import recipe

    return quantised(converter, recipe.dynamic_wi8_afp32())


@variant("aeq_dynamic_int4", weights="int4", activations="float32", package=PACKAGE)
def aeq_dynamic_int4(converter: Any) -> bytes:
    from ai_edge_quantizer import recipe

    return quantised(converter, recipe.dynamic_wi4_afp32())


@variant("aeq_static_int8", io="int8", weights="int8", activations="int8", calibrated=True, package=PACKAGE)
def aeq_static_int8(converter: Any) -> bytes:
    from ai_edge_quantizer import recipe

    return quantised(converter, recipe.static_wi8_ai8())


def quantised(converter: Any, recipe: Any) -> bytes:
    """The float32 file that the converter makes, quantised by a recipe of ai-edge-quantizer's."""
    from ai_edge_quantizer import quantizer

    calibration, converter.representative_dataset = converter.representative_dataset, None
    file = bytes(converter.convert())
    work = quantizer.Quantizer(file, recipe)
    found = work.calibrate({SIGNATURE: named(calibration(), file)}) if calibration else None
    return bytes(work.quantize(found, enable_progress_report=False).quantized_model)


def named(samples: Iterable[Sample], file: bytes) -> list[dict[str, np.ndarray]]:
    """Each sample by the names of the file's inputs."""
    from ai_edge_litert.interpreter import Interpreter

    names = Interpreter(model_content=file).get_signature_list()[SIGNATURE]["inputs"]
    return [sample if isinstance(sample, dict) else {names[0]: sample[0]} for sample in samples]
