"""Experiment → model, baseline and checked variants, each through the cache: nothing is built twice."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from harness import artifact, baseline, variants
from harness.cache import Cache, code_sha256, file_sha256, key_of, version
from harness.connections.local import install
from harness.dataset import Dataset
from harness.device import tensors
from harness.errors import BuildError
from harness.experiment import Experiment
from harness.keras_process import KerasProcess, TensorFlowMissing
from harness.records import Variant
from harness.samples import SUSPECT_AGREEMENT, agreement

CALIBRATION_SAMPLES = 500
CHECKING_RUNTIME = "ai-edge-litert"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """baseline: one float32 array an output, shape (test samples, …). made: what was not in the cache."""

    model_path: Path
    model_sha256: str
    baseline: tuple[np.ndarray, ...]
    variants: tuple[Variant, ...]
    made: tuple[str, ...]


class Builder:
    """Builds for one experiment and data set; `say` is told before anything that takes long."""

    def __init__(self, experiment: Experiment, dataset: Dataset, cache: Cache, say: Say) -> None:
        self.experiment, self.dataset, self.cache, self.say = experiment, dataset, cache, say
        self.made: list[str] = []
        self.versions = key_of(version("tensorflow"), version("keras"))

    def build(self) -> Built:
        with KerasProcess(self.cache.root / "tensorflow.log") as keras:
            model_path = self.model(keras)
            sha256 = file_sha256(model_path)
            outputs, calibration_outputs = self.baseline(keras, model_path, sha256)
            built = tuple(
                self.variant(keras, n, model_path, sha256, calibration_outputs) for n in self.experiment.variants
            )
        if not self.made:
            self.say("nothing to build: the model, its baseline and its variants are as they were built before")
        return Built(model_path, sha256, outputs, built, tuple(self.made))

    def make(self, what: str, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        if not self.cache.has(kind, key):
            self.say(what)
            self.made.append(what)
        return self.cache.obtain(kind, key, build)

    def model(self, keras: KerasProcess) -> Path:
        workload, dataset, seed = self.experiment.workload, self.dataset, self.experiment.seed
        code = code_sha256(*sorted((Path(__file__).parent / "workloads").glob("*.py")))
        key = key_of(code, dataset.train_sha256, seed, self.versions)
        make = lambda folder: keras.call(train_to, workload.name, dataset, seed, folder / "model.keras")  # noqa: E731
        return self.make(f"training the Keras model of {workload.name}", "models", key, make) / "model.keras"

    def baseline(
        self, keras: KerasProcess, model_path: Path, sha256: str
    ) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """The Keras model's outputs over the test set and over the calibration samples."""
        code = code_of(baseline, tensors)
        data = (self.dataset.test_sha256, self.dataset.train_sha256, self.dataset.affines)
        key = key_of(code, sha256, *data, self.experiment.seed, CALIBRATION_SAMPLES, self.versions)
        inputs = (self.dataset.model_inputs(self.dataset.test_inputs), self.calibration_inputs())
        make = lambda folder: keras.call(predict_to, model_path, inputs, folder)  # noqa: E731
        folder = self.make("running the Keras model over the test set", "baselines", key, make)
        with np.load(folder / "outputs.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        count = len(arrays) // 2
        return tuple(arrays[f"test{n}"] for n in range(count)), tuple(arrays[f"calibration{n}"] for n in range(count))

    def calibration_inputs(self) -> tuple[np.ndarray, ...]:
        stored = self.dataset.calibration(CALIBRATION_SAMPLES, self.experiment.seed)
        return self.dataset.model_inputs(stored)

    def variant(
        self, keras: KerasProcess, name: str, model_path: Path, sha256: str, wanted: tuple[np.ndarray, ...]
    ) -> Variant:
        """The variant, checked; one that cannot be built, or is not what it claims, is "failed" with the reason."""
        code = code_of(variants, artifact, tensors, sys.modules[__name__])
        key = key_of(
            name, code, sha256, self.dataset.train_sha256, self.dataset.affines, self.experiment.seed, self.versions
        )
        make = lambda folder: self.convert(keras, name, model_path, wanted, folder)  # noqa: E731
        try:
            folder = self.make(f"building {name}", "variants", key, make)
        except TensorFlowMissing:
            raise
        except Exception as error:  # whatever a converter throws is that variant's row, and the others go on
            return Variant(name, name, status="failed", reason=f"conversion failed: {first_line(error)}")
        return read_variant(name, folder)

    def convert(
        self, keras: KerasProcess, name: str, model_path: Path, wanted: tuple[np.ndarray, ...], folder: Path
    ) -> None:
        path = folder / "model.tflite"
        keras.call(variants.convert, model_path, name, self.calibration_inputs(), path)
        facts = artifact.inspect(path)
        found = artifact.faults(
            facts, variants.recipe(name).expectation, keras.call(baseline.parameter_count, model_path)
        )
        verdict = {"status": "failed", "reason": f"refused: {'; '.join(found)}"} if found else self.agree(path, wanted)
        (folder / "check.json").write_text(json.dumps(verdict))

    def agree(self, path: Path, wanted: tuple[np.ndarray, ...]) -> dict[str, str]:
        """Runs the file over the calibration samples, in a process of its own, and compares with Keras' answers."""
        stored = self.dataset.calibration(CALIBRATION_SAMPLES, self.experiment.seed)
        try:
            given = run_once(path, stored, [asdict(a) for a in self.dataset.affines])
        except BuildError as error:
            return {"status": "failed", "reason": str(error)}
        share = agreement(wanted[0], given[0])
        if share < SUSPECT_AGREEMENT:
            reason = f"agrees with Keras on {share:.1%} of {len(stored[0])} calibration samples"
            return {"status": "suspect", "reason": reason}
        return {"status": "ok", "reason": ""}


def build(experiment: Experiment, dataset: Dataset, cache: Cache, say: Say) -> Built:
    """The experiment's model, baseline and variants. Raises BuildError where there is no baseline to compare with."""
    return Builder(experiment, dataset, cache, say).build()


def code_of(*modules: ModuleType) -> str:
    """The hash of the modules' sources: what they make is made again when they change."""
    return code_sha256(*(Path(str(module.__file__)) for module in modules))


def train_to(workload_name: str, dataset: Dataset, seed: int, path: Path) -> None:
    from harness.workloads import WORKLOADS

    WORKLOADS[workload_name].train(dataset, seed).save(path)


def predict_to(model_path: Path, inputs: tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]], folder: Path) -> None:
    test, calibration = (baseline.keras_outputs(model_path, arrays) for arrays in inputs)
    named = {f"test{n}": a for n, a in enumerate(test)} | {f"calibration{n}": a for n, a in enumerate(calibration)}
    np.savez(folder / "outputs.npz", **named)


def read_variant(name: str, folder: Path) -> Variant:
    """What the cache holds of a variant."""
    path, check = folder / "model.tflite", json.loads((folder / "check.json").read_text())
    if check["status"] == "failed":
        return Variant(name, name, status="failed", reason=check["reason"])
    facts = artifact.inspect(path)
    size = path.stat().st_size
    return Variant(name, name, path, file_sha256(path), size, facts.inputs, facts.outputs, **check)


def run_once(path: Path, stored: tuple[np.ndarray, ...], affines: list[dict[str, float]]) -> tuple[np.ndarray, ...]:
    """The dequantised outputs of a .tflite file for stored samples. Raises BuildError where it cannot run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(path.read_bytes())
        inputs = [f"{n}.npy" for n in range(len(stored))]
        for file, array in zip(inputs, stored, strict=True):
            np.save(folder / file, array)
        job = {"kind": "outputs", "runtime": CHECKING_RUNTIME, "threads": 1, "inputs": inputs, "affines": affines}
        (folder / "job.json").write_text(json.dumps(job))
        argv = [sys.executable, "-I", str(install(folder)), "job", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"it crashes {CHECKING_RUNTIME} with exit code {done.returncode}", "try another recipe")
        result = json.loads((folder / "result.json").read_text())
        if result["status"] != "ok":
            raise BuildError(f"{CHECKING_RUNTIME} cannot run it: {result['error']}", "try another recipe")
        return tuple(
            tensors.from_tensor(np.load(folder / "outputs" / f"{n}.npy"), tensor["scale"], tensor["zero_point"])
            for n, tensor in enumerate(result["outputs"])
        )


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
