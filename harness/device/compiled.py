"""CompiledModel of ai-edge-litert 2 under the face of an Interpreter, on the CPU. It prints to stderr alone."""

from ai_edge_litert import compiled_model, interpreter

from .engines import FIRST_WITH

NO_OPTIONS = "CompiledModel of this release cannot be told its number of threads: take ai-edge-litert %s or later"
OPEN = "CompiledModel cannot give output %s, whose shape is known only once the file has run: take another engine"
ONLY_SHAPES = "CompiledModel gives no tensors between the ops: take the same engine without :compiled"


class Interpreter:
    """A CompiledModel of a file's first signature, with one buffer an input and an output.

    Inputs and outputs go by the indices of their tensors, as everywhere: a signature may have them in another order.
    """

    def __init__(self, model_content, num_threads=1, experimental_preserve_all_tensors=False):
        if experimental_preserve_all_tensors:
            raise ValueError(ONLY_SHAPES)
        if not hasattr(compiled_model, "CpuOptions"):
            raise ValueError(NO_OPTIONS % FIRST_WITH["ai-edge-litert", "compiled"])
        cpu = compiled_model.CpuOptions(num_threads=num_threads)
        options = compiled_model.Options(hardware_accelerators=compiled_model.HardwareAccelerator.CPU, cpu_options=cpu)
        self.content = model_content  # the native model points into it
        self.model = compiled_model.CompiledModel.from_buffer(model_content, options=options)
        self.described = interpreter.Interpreter(model_content=model_content)  # it only describes

    def resize_tensor_input(self, index, shape):
        self.described.resize_tensor_input(index, shape)
        self.model.resize_input_tensor(self.places("inputs").index(index), list(shape))

    def allocate_tensors(self):
        self.inputs, self.outputs = self.model.create_input_buffers(0), self.model.create_output_buffers(0)
        self.input_of = dict(zip(self.places("inputs"), self.inputs))
        self.output_of = dict(zip(self.places("outputs"), self.outputs))
        self.forms = {}

    def places(self, which):
        """The indices of the tensors of the first signature, in its order."""
        signature = self.model.get_signature_by_index(0)
        named = self.described._get_full_signature_list().get(signature["key"])
        if named is None:  # a file without signatures: tensors go by their own names
            details = self.get_input_details() if which == "inputs" else self.get_output_details()
            named = {which: {d["name"]: d["index"] for d in details}}
        return [int(named[which][name]) for name in signature[which]]

    def measured(self):
        """The forms of the outputs, as the inputs were resized. Raises ValueError for one that only a run gives a size.

        Asked for with the first answer: it takes time and memory that are none of the model's.
        """
        self.described.allocate_tensors()
        return {d["index"]: self.form(d) for d in self.get_output_details()}

    def form(self, details):
        try:
            self.described.get_tensor(details["index"])
        except ValueError as error:  # it has no memory yet
            raise ValueError(OPEN % details["name"]) from error
        return int(details["shape"].prod()), details["dtype"], tuple(details["shape"])

    def get_input_details(self):
        return self.described.get_input_details()

    def get_output_details(self):
        return self.described.get_output_details()

    def set_tensor(self, index, values):
        self.input_of[index].write(values)

    def invoke(self):
        self.model.run_by_index(0, self.inputs, self.outputs)

    def get_tensor(self, index):
        self.forms = self.forms or self.measured()
        count, dtype, shape = self.forms[index]
        return self.output_of[index].read(count, dtype).reshape(shape)

    def reset_all_variables(self):
        raise ValueError("CompiledModel cannot clear the state that this file keeps: take another engine")
