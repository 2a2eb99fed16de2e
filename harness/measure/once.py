"""A .tflite file run on this machine, in a process of its own: to check it, or because it is the baseline."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.device import protocol, tensors
from harness.errors import BuildError
from harness.measure.connections.local import install
from harness.measure.counted_rows import counts_of
from harness.measure.job_spec import outputs_spec, with_counts, with_state
from harness.measure.model_state import reset_of
from harness.records import Affine
from harness.support.arrays import write_npy
from harness.support.files import TemporaryFolder, copy

RUNTIME = "ai-edge-litert"
CONVERT = "the file is damaged, or needs what this runtime lacks: convert the model again, with other operations"
NO_ANSWER_S = 120.0  # for one sample, or to load the file: this machine is faster than a device


def run_once(
    path: Path,
    stored: tuple[np.ndarray, ...],
    affines: Sequence[Affine],
    starts: np.ndarray | None = None,
    carried: Sequence[tuple[int, int]] = (),
) -> tuple[np.ndarray, ...]:
    """The dequantised outputs of a .tflite file for stored samples, one array an input tensor, in the file's order.

    starts: the places at which a clip begins; None where every sample stands by itself. carried: the file's outputs
    whose values its inputs take at the next sample of a clip. Raises BuildError where it
    cannot run, or gives no answer for NO_ANSWER_S, whatever it says meanwhile.
    """
    with TemporaryFolder() as name:
        folder = Path(name)
        copy(path, folder / protocol.MODEL)
        (folder / protocol.INPUTS).mkdir()
        inputs = [protocol.input_file(n, first=0) for n in range(len(stored))]
        for file, array in zip(inputs, stored, strict=True):
            write_npy(folder / file, array)
        spec = outputs_spec(RUNTIME, inputs, affines, reset=reset_of(path), starts=starts)
        spec = with_state(spec, carried, starts)
        (folder / protocol.JOB).write_text(json.dumps(with_counts(spec, counts_of(path))))
        return answers(folder, done(folder, len(stored[0])))


def done(folder: Path, samples: int) -> dict[str, Any]:
    argv = [sys.executable, "-I", str(install(folder)), "job", str(folder)]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as process:
        try:
            watch(process, NO_ANSWER_S * (samples + 1))
        finally:
            process.kill()
    if process.returncode != 0:
        raise BuildError(f"it crashes {RUNTIME} with exit code {process.returncode}", CONVERT)
    result: dict[str, Any] = json.loads((folder / protocol.RESULT).read_text())
    if result["status"] != "ok":
        raise BuildError(f"{RUNTIME} cannot run it: {result['error']}", CONVERT)
    return result


def watch(process: subprocess.Popen[bytes], longest_s: float) -> None:
    """Waits for the end of a job. Raises BuildError where it says nothing for NO_ANSWER_S, or lives for longest_s."""
    assert process.stdout
    end = time.monotonic() + longest_s
    with selectors.DefaultSelector() as selector, suppress(subprocess.TimeoutExpired):
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(min(NO_ANSWER_S, end - time.monotonic())) and time.monotonic() < end:
            if not os.read(process.stdout.fileno(), 1 << 16):  # it closed its end
                process.wait(NO_ANSWER_S)
                return
    told = f"{RUNTIME} has no answer for {NO_ANSWER_S:g} s"
    raise BuildError(told, "does a loop in the model never end, or is one sample so slow?")


def answers(folder: Path, result: dict[str, Any]) -> tuple[np.ndarray, ...]:
    return tuple(
        tensors.from_tensor(np.load(folder / protocol.output_file(n)), tensor["scale"], tensor["zero_point"])
        for n, tensor in enumerate(result["outputs"])
    )
