"""The TFLite runtimes, by name: one entry each. One engine a process, always: two in one break each other.

To add one: its line here, its releases in measure/runtimes.py, and its pin for this machine in pyproject.toml.
"""

import importlib
import importlib.util
import os

from . import sensors

ENGINES = {
    # distribution name: module that holds Interpreter; a target has all of them unless its file names some
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


def installed():
    """Engine name → version, or None where this Python has none. Imports no engine."""
    return {name: version(name) for name in ENGINES}


def version(name):
    package = ENGINES[name].split(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    return folder_version(spec, package) or sensors.package_version(name) or "unknown"


def folder_version(spec, package):
    """The version in the name of the one dist-info folder beside the package, or None."""
    beside = [os.path.dirname(path) for path in spec.submodule_search_locations or []]
    names = [name for folder in beside if os.path.isdir(folder) for name in os.listdir(folder)]
    found = [name[len(package) + 1 : -len(".dist-info")] for name in names if is_info(name, package)]
    return found[0] if len(found) == 1 else None


def is_info(name, package):
    return name.startswith(package + "-") and name.endswith(".dist-info")


def interpreter_class(name):
    return importlib.import_module(ENGINES[name]).Interpreter


def describe(details):
    """A tensor's details as the interpreter gives them → what is sent: name, index, dtype, shape, scale, zero_point."""
    scales = details["quantization_parameters"]["scales"]
    zero_points = details["quantization_parameters"]["zero_points"]
    return {
        "name": details["name"],
        "index": int(details["index"]),
        "dtype": details["dtype"].__name__,
        "shape": [int(n) for n in details["shape"]],
        "scale": float(scales[0]) if len(scales) else None,
        "zero_point": int(zero_points[0]) if len(scales) else None,
    }
