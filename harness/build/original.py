"""What every variant is compared with, and its answers: the Keras model, or a .tflite file where there is no model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from harness.build import artifact, models
from harness.build.artifact import binding
from harness.build.fed_back import with_state
from harness.build.keras_process import KerasProcess
from harness.build.models import Facts
from harness.build.models import model_source as source
from harness.build.models import predictions as baseline
from harness.build.models.feed import Feed, check_numbers, feeds_of
from harness.build.models.predictions import PLAIN, Habits, check_shape
from harness.device import tensors
from harness.errors import BuildError, ConfigError
from harness.measure import once as runner
from harness.measure.connections.device_code import SOURCE
from harness.records import Affine, Dataset, Experiment, ModelSource
from harness.records.dataset import places, starts_within
from harness.support import cache
from harness.support.arrays import let_go, map_npy
from harness.support.cache import Shelf, code_sha256, key_of, version
from harness.support.files import TemporaryFolder
from harness.support.functions import FunctionRef

ALONE = 64  # samples that a model is asked one at a time, too
STRETCH_BYTES = 16 << 20  # of inputs and outputs, as float32: what the model is sent at a time
Starts = np.ndarray | None  # the places at which a clip begins; None where every sample stands by itself
Answer = Callable[[tuple[Feed, ...], tuple[np.ndarray, ...], Starts], tuple[np.ndarray, ...]]
Pairs = Sequence[tuple[int, int]]  # outputs and the inputs that take them at the next sample of a clip
RunOnce = Callable[[Path, tuple[np.ndarray, ...], Sequence[Affine], Starts, Pairs], tuple[np.ndarray, ...]]  # once.py
_FACTS = TypeAdapter(Facts)
_HABITS = TypeAdapter(Habits)


@dataclass(frozen=True)
class Original:
    """name: in a sentence. path: as the cache keeps the model. feeds: one an input. answer: feeds, samples as stored,
    one array an input of the data, and where clips begin → one float32 array an output. dataset: with an array for each
    input, those that take a state too."""

    name: str
    path: Path
    sha256: str
    facts: Facts
    feeds: tuple[Feed, ...]
    answer: Answer
    dataset: Dataset
    habits: Habits = PLAIN

    @property
    def sample_bytes(self) -> int:
        """What one sample's inputs and outputs take as float32; an output of open length counts as if it were short."""
        shapes = [feed.tensor.shape for feed in self.feeds] + [tensor.shape[1:] for tensor in self.facts.outputs]
        return 4 * sum(int(np.prod([abs(n) for n in shape])) for shape in shapes)


def of_model(experiment: Experiment, dataset: Dataset, shelf: Shelf, keras: KerasProcess) -> Original:
    """The experiment's Keras model. Raises BuildError, and DataError where the data do not fit it."""
    assert experiment.model
    path = kept_model(experiment.model, experiment.seed, dataset, shelf, keras)
    sha256 = source.path_sha256(path)
    make = lambda folder: write_facts(keras.call(models.describe, path), folder)  # noqa: E731
    folder = shelf.obtain("", "facts", key_of(models_code(), sha256, versions()), make)
    facts = read_facts(folder)
    check_numbers(facts.outputs)
    dataset = with_state(dataset, facts.inputs, facts.outputs, experiment)
    feeds = feeds_of(facts.inputs, dataset)
    habits = habits_of(path, sha256, feeds, dataset, shelf, keras)
    alone = habits.one_by_one
    answer: Answer = lambda feeds, stored, starts: keras.call(baseline.outputs, path, feeds, stored, alone, starts)  # noqa: E731
    return Original("Keras", path, sha256, facts, feeds, answer, dataset, habits)


def habits_of(
    path: Path, sha256: str, feeds: tuple[Feed, ...], dataset: Dataset, shelf: Shelf, keras: KerasProcess
) -> Habits:
    """What the first test samples say of the model, through the cache."""

    def write(folder: Path) -> None:
        few = tuple(np.ascontiguousarray(array[:ALONE]) for array in dataset.test_inputs)
        found = keras.call(baseline.habits, path, feeds, few)
        (folder / "habits.json").write_bytes(_HABITS.dump_json(found))

    order = [(f.index, f.affine, f.tensor) for f in feeds]
    key = key_of(models_code(), cache.code_of(tensors), sha256, dataset.test_sha256, order, ALONE, versions())
    folder = shelf.obtain("", "habits", key, write)
    return read_habits(folder)


def of_file(experiment: Experiment, dataset: Dataset, run_once: RunOnce) -> Original:
    """The imported .tflite file that takes the model's place. Needs no TensorFlow."""
    name = experiment.baseline
    if name not in experiment.imports:
        raise ConfigError(f"{name} is the baseline, but not among the variants", f"name it too: -v {name}")
    path = experiment.imports[name]
    found = artifact.inspect(path)
    artifact.check_form(found)
    counted = bool(binding.numbers(found.output_names))
    facts = Facts(found.named_inputs, found.named_outputs, sum(found.weights.values()), by_alphabet=not counted)
    dataset = with_state(dataset, facts.inputs, facts.outputs, experiment)
    feeds = feeds_of(facts.inputs, dataset)
    for tensor, feed in zip(facts.inputs, feeds, strict=True):
        if tensor.shape[0] > 1 and not feed.whole:
            told = f"input {tensor.name} of {name} has a batch of {tensor.shape[0]}"
            raise BuildError(told, "convert the model with a batch of 1")
    return Original(name, path, source.path_sha256(path), facts, feeds, partial(file_answers, run_once, path), dataset)


def file_answers(
    run_once: RunOnce, path: Path, feeds: tuple[Feed, ...], stored: tuple[np.ndarray, ...], starts: Starts
) -> tuple[np.ndarray, ...]:
    carried = [(f.carried, n) for n, f in enumerate(feeds) if f.carried is not None]
    return run_once(path, tuple(stored[f.index] for f in feeds), [f.affine for f in feeds], starts, carried)


def kept_model(origin: ModelSource, seed: int, dataset: Dataset, shelf: Shelf, keras: KerasProcess) -> Path:
    """The model as the cache keeps it. A function is called each time: what it reads is not known."""
    if origin.kind == "workload":
        code = code_sha256(*sorted((Path(__file__).with_name("workloads")).glob("*.py")))
        key = key_of(code, dataset.train_sha256, seed, versions())
        train = lambda folder: keras.call(train_to, origin.where, dataset, seed, folder / "model.keras")  # noqa: E731
        return source.kept(shelf.obtain(f"training the Keras model of {origin.where}", "models", key, train))
    if origin.kind == "function":
        ref = FunctionRef(origin.where, origin.folder)
        shelf.say(f"calling {ref.text}")
        with TemporaryFolder() as made:
            sha256 = keras.call(source.call, ref, seed, Path(made))
            move = lambda folder: shutil.copytree(made, folder, dirs_exist_ok=True)  # noqa: E731
            return source.kept(shelf.obtain("", "models", key_of(ref.text, sha256, versions()), move))
    given = Path(origin.where)
    source.check_whole(given)
    key = key_of(given.suffix, source.path_sha256(given))
    return source.kept(shelf.obtain("", "models", key, lambda folder: source.keep(given, folder)))


def answers(
    original: Original, what: str, stored: tuple[np.ndarray, ...], key: str, shelf: Shelf, starts: Starts = None
) -> tuple[np.ndarray, ...]:
    """The original's answers to these samples, one float32 array an output, mapped from the cache.

    key: what the samples are known by, and where clips begin.
    """
    code = cache.code_of(baseline, tensors), runner_code()
    order = [(f.index, f.affine, f.tensor, f.carried) for f in original.feeds]
    alone = original.habits.one_by_one
    full = key_of(code, models_code(), original.sha256, key, order, alone, versions(runner.RUNTIME))
    folder = shelf.obtain(what, "baselines", full, partial(write_answers, original, stored, starts))
    return tuple(map_npy(folder / f"{n}.npy") for n in range(len(original.facts.outputs)))


def write_answers(original: Original, stored: tuple[np.ndarray, ...], starts: Starts, folder: Path) -> None:
    """Writes in stretches: all samples at once are never in memory, neither here nor where the model runs."""
    count, size = len(stored[0]), max(1, STRETCH_BYTES // original.sample_bytes)
    files: list[np.ndarray] = []
    for first, last in places(count, size, starts):
        part = tuple(np.ascontiguousarray(array[first:last]) for array in stored)
        outputs = original.answer(original.feeds, part, starts_within(starts, first, last))
        if not files:
            files = [empty_npy(folder / f"{n}.npy", (count, *y.shape[1:])) for n, y in enumerate(outputs)]
        for tensor, file, output in zip(original.facts.outputs, files, outputs, strict=True):
            check_shape(tensor.name, file.shape[1:], output.shape[1:])
            file[first : first + len(output)] = output
        for array in stored:
            let_go(array)


def empty_npy(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.lib.format.open_memmap(path, "w+", np.float32, shape)


def train_to(workload_name: str, dataset: Dataset, seed: int, path: Path) -> None:
    from harness.build.workloads import WORKLOADS

    WORKLOADS[workload_name].train(dataset, seed).save(path)


def write_facts(facts: Facts, folder: Path) -> None:
    (folder / "facts.json").write_bytes(_FACTS.dump_json(facts))


def read_facts(folder: Path) -> Facts:
    return cache.read_kept(folder / "facts.json", _FACTS)


def read_habits(folder: Path) -> Habits:
    return cache.read_kept(folder / "habits.json", _HABITS)


def models_code() -> str:
    return code_sha256(*sorted((Path(__file__).with_name("models")).glob("*.py")))


def runner_code() -> str:
    """The hash of all code that runs a .tflite file here, the device's own with it: other code may answer otherwise."""
    return code_sha256(Path(runner.__file__), *sorted(SOURCE.glob("*.py")))


def versions(*further: str) -> str:
    """Hashes the versions of what makes models and files, and of further distributions."""
    return key_of(*(version(name) for name in ("tensorflow", "keras", *further)))
