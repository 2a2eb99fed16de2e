"""Engines by name: which library runs .tflite files, in which release, with which of its kernels.

ai-edge-litert              the release that this Python has, with its own kernels and default delegates (XNNPACK)
ai-edge-litert@2.1.6        that release, from a venv of its own (venvs.py)
ai-edge-litert:reference    other kernels of the same library; both together are ai-edge-litert@2.1.6:reference

One engine a process, always: two in one break each other. To add a library: its line in ENGINES, its kernels in
KERNELS where it has several, its releases in measure/runtimes.py, and its pin for this machine in pyproject.toml.
"""

import importlib
import importlib.util
import os
import re
from collections import namedtuple
from functools import partial

from . import sensors

ENGINES = {
    # distribution name: module that holds Interpreter
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tflite-micro": "tflite_micro.python.tflite_micro.runtime",
}
SIMULATED = ("tflite-micro",)  # as on a microcontroller, but here: how long it takes says nothing, so it is not timed


class Refused(Exception):
    """An engine can never run such a file: it lacks an op, or a kernel of it for these types."""


class Engine(namedtuple("Engine", "runtime release kernels")):
    """What runs a file. release: "" for the installed one; kernels: "" for the runtime's own choice."""

    __slots__ = ()

    def __str__(self):
        return self.runtime + ("@" + self.release) * bool(self.release) + (":" + self.kernels) * bool(self.kernels)


def split(name):
    """The Engine that a name means, whether there is such a one here or not: a stored run may name any."""
    installed, _, kernels = name.partition(":")
    library, _, release = installed.partition("@")
    return Engine(library, release, kernels)


def parse(name):
    """The Engine of that name. Raises ValueError, which says what is wrong and what there is."""
    engine = split(name)
    library, release, kernels = engine
    if library not in ENGINES:
        raise ValueError("there is no runtime %r; the runtimes are %s" % (library, ", ".join(ENGINES)))
    if str(engine) != name:
        raise ValueError("%r ends too early; did you mean %s?" % (name, engine))
    if release and not is_release(release):
        raise ValueError("%r is no release of %s; write one as in %s@2.1.6" % (release, library, library))
    if kernels and kernels not in KERNELS.get(library, {}):
        there = " and ".join("%s:%s" % (library, each) for each in KERNELS.get(library, {}))
        raise ValueError("%s has no kernels %r; it has %s" % (library, kernels, there or "its own alone"))
    return engine


NUMBER = "(0|[1-9][0-9]*)"
RELEASE = re.compile(r"{0}(\.{0})*((a|b|rc){0})?(\.post{0})?(\.dev{0})?".format(NUMBER))


def is_release(text):
    """Whether pip's rules write a release so: 2.1.6, and neither 02.1.6 nor 2.1. nor 2..3."""
    return bool(RELEASE.fullmatch(text))


def installation(name):
    """The name of what must be installed for an engine: all of its kernels come with it."""
    return str(split(name)._replace(kernels=""))


def is_simulated(name):
    """Whether it answers as another machine would: how long it takes here says nothing."""
    return split(name).runtime in SIMULATED


def with_resolver(kind):
    return lambda module: partial(
        module.Interpreter, experimental_op_resolver_type=getattr(module.OpResolverType, kind)
    )


def adapted(name):
    """What this folder's module of that name makes look like an Interpreter."""
    return lambda module: importlib.import_module("." + name, __package__).Interpreter


def plain(module):
    return module.Interpreter


BUILTIN = with_resolver("BUILTIN_WITHOUT_DEFAULT_DELEGATES")
REFERENCE = with_resolver("BUILTIN_REF")
KERNELS = {  # of a library beside its own choice: name → what finds the Interpreter in the library's module
    "ai-edge-litert": {"builtin": BUILTIN, "reference": REFERENCE, "compiled": adapted("compiled")},
    "tflite-runtime": {"builtin": BUILTIN, "reference": REFERENCE},
}

FIRST_WITH = {("ai-edge-litert", "compiled"): "2.2"}  # the first release that has kernels in a form that we can use


DEFAULT = {"tflite-micro": adapted("micro")}  # of a library whose own class is no such Interpreter


def interpreter_class(name):
    """What takes model_content and num_threads, and is then used as an Interpreter of TensorFlow Lite is.

    Raises RuntimeError where this Python has another release than the name says.
    """
    engine = parse(name)
    if engine.release and version(name) is None:
        wanted, there = installation(name), version(engine.runtime) or "none"
        told = "%s is not installed: this Python has %s; harness setup TARGET --runtime %s installs it"
        raise RuntimeError(told % (wanted, there, wanted))
    find = KERNELS.get(engine.runtime, {}).get(engine.kernels) or DEFAULT.get(engine.runtime, plain)
    return find(importlib.import_module(ENGINES[engine.runtime]))


def installed():
    """Name of a library → its version, or None where this Python has none. Imports no engine."""
    return {name: version(name) for name in ENGINES}


def version(name):
    """The version of the library in this very Python, or None where that is not the release that is named."""
    library, release, _ = parse(name)
    there = library_version(library)
    return there if there and (not release or same_release(there, release)) else None


def same_release(one, other):
    """Whether two texts mean one release: 2.3 is 2.3.0, and what follows a + tells only who built it."""
    return shortest(one) == shortest(other)


def shortest(release):
    return re.sub(r"(\.0)+(?![.0-9]*[0-9])", "", release.partition("+")[0])


def library_version(library):
    package = ENGINES[library].split(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    return folder_version(spec, package) or sensors.package_version(library) or "unknown"


def folder_version(spec, package):
    """The version in the name of the one dist-info folder beside the package, or None."""
    beside = [os.path.dirname(path) for path in spec.submodule_search_locations or []]
    names = [name for folder in beside if os.path.isdir(folder) for name in os.listdir(folder)]
    found = [name[len(package) + 1 : -len(".dist-info")] for name in names if is_info(name, package)]
    return found[0] if len(found) == 1 else None


def is_info(name, package):
    return name.startswith(package + "-") and name.endswith(".dist-info")


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
