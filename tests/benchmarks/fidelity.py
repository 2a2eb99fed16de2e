"""Times one interpreter through the job's own timing function and through a C loop, in blocks that take turns.

python -m tests.benchmarks.fidelity JOB LOOP.so, in a process of its own (one engine a process): prints JSON, ns an
invoke: {"ours": [median of each block], "native": […]}. The C loop calls tflite::Interpreter::Invoke on the object
behind the Python interpreter (tflite-runtime's _native_handle), writes the same inputs between invokes, and reads
clock_gettime(CLOCK_MONOTONIC), which is perf_counter_ns, around each.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tflite_runtime

from harness.device import job

BLOCKS = 40
INVOKE = "_ZN6tflite4impl11Interpreter6InvokeEv"
WRAPPER = Path(tflite_runtime.__file__).parent / "_pywrap_tensorflow_interpreter_wrapper.so"
LOOP = """
#include <stdint.h>
#include <string.h>
#include <time.h>

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int time_invokes(int (*invoke)(void *), void *interpreter, char *input, const char *samples, long size, long count,
                 long invokes, int64_t *ns) {
  for (long n = 0; n < invokes; n++) {
    memcpy(input, samples + (n % count) * size, size);
    int64_t begin = now();
    int status = invoke(interpreter);
    ns[n] = now() - begin;
    if (status) return status;
  }
  return 0;
}
"""


Fed = list[tuple[list[np.ndarray], bool]]  # what Model.fed gives of each sample


def native_ns(loop: Any, model: job.Model, fed: Fed, invokes: int) -> float:
    """The median over so many invokes by the C loop."""
    invoke = ctypes.cast(getattr(ctypes.CDLL(str(WRAPPER)), INVOKE), ctypes.c_void_p)
    samples = np.ascontiguousarray([tensors[0] for tensors, _ in fed])
    view = model.interpreter.tensor(model.inputs[0]["index"])()
    ns = np.zeros(invokes, np.int64)
    status = loop.time_invokes(
        invoke, ctypes.c_void_p(model.interpreter._native_handle()), ctypes.c_void_p(view.ctypes.data),
        ctypes.c_void_p(samples.ctypes.data), ctypes.c_long(view.nbytes), ctypes.c_long(len(samples)),
        ctypes.c_long(invokes), ctypes.c_void_p(ns.ctypes.data),
    )  # fmt: skip
    assert status == 0, f"Invoke answered {status}"
    return float(np.median(ns))


def our_ns(model: job.Model, spec: dict[str, Any], fed: Fed) -> tuple[float, int]:
    """The median of the job's own timings, and how many invokes they took."""
    log = job.Log()
    job.time_invokes(model, spec, fed, 1, log)
    return float(np.median([ns for _, _, ns in log.rows])), len(log.rows)


def main(folder: str, library: str) -> dict[str, list[float]]:
    os.chdir(folder)
    spec, log = json.loads(Path("job.json").read_text()), job.Log()
    model = job.Model(spec, log)
    fed = [model.fed(sample) for sample in range(model.samples())]
    job.warm_up(model, spec, fed, log)
    loop, ours, native = ctypes.CDLL(library), [], []
    for _ in range(BLOCKS):
        median, invokes = our_ns(model, spec, fed)
        ours.append(median)
        native.append(native_ns(loop, model, fed, invokes))
    return {"ours": ours, "native": native}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
