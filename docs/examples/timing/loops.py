"""Times one .tflite file in six ways on ai-edge-litert:  python loops.py float32.tflite

Each way changes one thing of the way before it. The table says what an inference takes, in µs: docs/why-it-differs.md.
"""

import sys
import time
from itertools import cycle
from statistics import mean, median

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter

MANY, FEW = (2_000, 20_000), (5, 50)  # how often before timing, and how often timed
ROW = "{:42} {:>8} {:>8} {:>8}"


def drawn(shape, dtype, count):
    """Random inputs, as litert-benchmark draws them: −1 to 1, or the whole range of int8."""
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.floating):
        return [rng.uniform(-1, 1, shape).astype(dtype) for _ in range(count)]
    return [rng.integers(-128, 128, shape).astype(dtype) for _ in range(count)]


def timed(action, warm_up, runs, before=lambda: None):
    """Returns the µs that each action took. before: called before each, and not timed."""
    taken = []
    for _ in range(warm_up + runs):
        before()
        begin = time.perf_counter_ns()
        action()
        taken.append((time.perf_counter_ns() - begin) / 1000)
    return taken[warm_up:]


def compiled(path):
    """Returns one inference by CompiledModel, by the names of its tensors and by their numbers."""
    model = CompiledModel.from_file(path, hardware_accel=HardwareAccelerator.CPU)
    (key,) = model.get_signature_list()
    inputs, outputs = model.get_input_tensor_details(key), model.get_output_tensor_details(key)
    into = {name: model.create_input_buffer_by_name(key, name) for name in inputs}
    out = {name: model.create_output_buffer_by_name(key, name) for name in outputs}
    for name, details in inputs.items():
        into[name].write(drawn(details["shape"], np.dtype(details["dtype"]), 1)[0])
    listed = list(into.values()), list(out.values())
    return lambda: model.run_by_name(key, into, out), lambda: model.run_by_index(0, *listed)


def interpreted(path, threads=1):
    """Returns one inference by Interpreter, what fills its input, and both with the reading of its output."""
    model = Interpreter(model_path=path, num_threads=threads)
    model.allocate_tensors()
    (into,), out = model.get_input_details(), model.get_output_details()[0]
    samples = cycle(drawn(into["shape"], into["dtype"], 100))

    def fill():
        model.set_tensor(into["index"], next(samples))

    def whole():
        fill()
        model.invoke()
        return model.get_tensor(out["index"])

    return model.invoke, fill, whole


def main(path):
    by_name, by_number = compiled(path)
    invoke, fill, whole = interpreted(path)
    on_two, fill_two, _ = interpreted(path, threads=2)
    ways = {
        "CompiledModel by name, 50 after 5": timed(by_name, *FEW),
        "CompiledModel by name, 20,000 after 2,000": timed(by_name, *MANY),
        "CompiledModel by number": timed(by_number, *MANY),
        "Interpreter.invoke, a new input each time": timed(invoke, *MANY, before=fill),
        "the same, input and output in the time": timed(whole, *MANY),
        "Interpreter.invoke, 2 threads": timed(on_two, *MANY, before=fill_two),
    }
    print(ROW.format("way", "mean", "median", "largest"))
    for way, taken in ways.items():
        print(ROW.format(way, *(f"{value:.2f}" for value in (mean(taken), median(taken), max(taken)))))


if __name__ == "__main__":
    main(sys.argv[1])
