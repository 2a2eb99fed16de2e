"""tflite-micro under the face of an Interpreter: a model as a microcontroller answers, in the smallest arena."""

import functools
import os
import re
import tempfile
from contextlib import contextmanager

from tflite_micro.python.tflite_micro import runtime

from .engines import Refused

FIRST_BYTES = 1 << 16
MOST_BYTES = 1 << 30
TOO_SMALL = r"available|Too many buffers|Failed to allocate|Unable to allocate"
NO_OP = r"Didn't find op|Failed to get registration|Node \w+ \(number"  # what names an op that it cannot run
NAMED = NO_OP + "|not supported|unsupported|was not true|!="


class Interpreter:
    """The model in an arena of arena_bytes: one allocation step less, and it does not start."""

    def __init__(self, model_content, num_threads=1, experimental_preserve_all_tensors=False):
        """num_threads: taken for 1, whatever it is: a microcontroller has one."""
        if experimental_preserve_all_tensors:
            raise ValueError("tflite-micro keeps no tensors between the ops: take another engine")
        self.arena_bytes = smallest_arena(model_content)
        self.content = model_content
        self.model, _ = opened(model_content, self.arena_bytes)
        self.inputs, self.outputs = tensors_of(model_content)

    def allocate_tensors(self):
        """The arena was allocated as the interpreter was made."""

    def get_input_details(self):
        return [told(n, self.model.get_input_details(n), name) for n, name in enumerate(self.inputs)]

    def get_output_details(self):
        first = len(self.inputs)
        return [told(first + n, self.model.get_output_details(n), name) for n, name in enumerate(self.outputs)]

    def set_tensor(self, index, values):
        self.model.set_input(values, index)

    def invoke(self):
        self.model.invoke()

    def get_tensor(self, index):
        return self.model.get_output(index - len(self.inputs))

    def reset_all_variables(self):
        self.model.reset()


def told(index, details, name):
    """Returns its details as an Interpreter tells them. index: ours; tflite-micro counts inputs and outputs apart."""
    return dict(details, index=index, name=name, shape_signature=details["shape"])


def tensors_of(content):
    """The names of a file's inputs and of its outputs: tflite-micro's own details have none."""
    graph = runtime.convert_bytearray_to_object(bytearray(content)).subgraphs[0]
    names = [(tensor.name or b"").decode(errors="replace") for tensor in graph.tensors]
    return [names[n] for n in graph.inputs], [names[n] for n in graph.outputs]


@functools.lru_cache(maxsize=1)
def smallest_arena(content):
    """The bytes of the smallest arena in which the model starts, found by halving.

    Raises Refused where an op is named, MemoryError, and RuntimeError for any other reason not to start.
    """
    fits = FIRST_BYTES
    while (said := opened(content, fits)[1]) is not None:
        if not re.search(TOO_SMALL, said):
            kind = Refused if re.search(NO_OP, said) else RuntimeError
            raise kind("tflite-micro cannot run this file: " + reason(said))
        fits *= 4
        if fits > MOST_BYTES:
            raise MemoryError("the model does not start in an arena of %d MiB" % (MOST_BYTES >> 20))
    fails = 0
    while fits - fails > 1:
        middle = (fits + fails) // 2
        if opened(content, middle)[1] is None:
            fits = middle
        else:
            fails = middle
    return fits


def opened(content, arena_bytes):
    """(the model in such an arena, None), or (None, what it printed) where it does not start."""
    with printed() as told:
        try:
            return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes), None
        except RuntimeError as error:
            told.append(str(error))
    return None, "\n".join(told)


@contextmanager
def printed():
    """Yields a list; what native code printed to fd 2 inside is put before what the list has then."""
    told, kept = [], os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield told
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            told.insert(0, file.read().decode(errors="replace"))


def reason(said):
    """The lines that name the op and what is wrong with it, in one."""
    lines = list(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))
    naming = [re.sub(r"^.*/", "", line) for line in lines if re.search(NAMED, line)]
    return "; ".join(naming[::-1] or lines[-1:])
