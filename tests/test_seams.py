"""docs/architecture.md, the table of seams: each test adds one thing where the table says, and finds it in use."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import typer

from harness import report
from harness.build import models, variants
from harness.build.builder import build
from harness.build.keras_process import KerasProcess
from harness.build.models import Facts, saved_model
from harness.build.models.feed import Feed
from harness.build.original import train_to
from harness.build.workloads import WORKLOADS, Workload, digits
from harness.cli import app
from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.data import kinds
from harness.data.on_disk import SamplesWriter, write_about
from harness.data.source import DataSource, Split
from harness.device import engines
from harness.experiment import starters
from harness.experiment.experiment_file import read_experiment
from harness.experiment.plans import plan_of
from harness.experiment.resolve import experiment_of
from harness.measure import runtimes
from harness.measure.connections import KINDS, Kind, connect
from harness.measure.connections.local import Local
from harness.measure.targets import known_targets, select_targets
from harness.metrics import fitting, registry, task_table
from harness.metrics.discrepancy import fields_of, structured
from harness.metrics.scoring import Scorer
from harness.records import Affine, Dataset, Scoring, Tensor
from harness.statistics.bootstrap import means
from harness.support.cache import Cache
from tests import small_models
from tests.conftest import Call
from tests.data_sources import own_cache as own_cache  # every test here has an empty cache
from tests.devices import RECORDED
from tests.made_runs import case
from tests.made_tasks import run_of

DOCS = Path(__file__).parents[1] / "docs"
PROVED_ELSEWHERE = {"a metric": "test_registry.py", "a report section": "test_sections.py"}
PROVED_HERE = (
    "a task",
    "a variant",
    "a kind of model",
    "an engine",
    "a device",
    "a kind of connection",
    "a workload",
    "a kind of data",
    "a report format",
    "an option of the command line",
)


def test_every_row_of_the_table_is_proved() -> None:
    table = (DOCS / "architecture.md").read_text().split("## Seams")[1]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert sorted(rows[2:]) == sorted((*PROVED_HERE, *PROVED_ELSEWHERE))  # after the heading and its line
    proofs = {cells[0]: cells[2] for line in table.splitlines() if len(cells := cells_of(line)) == 3}
    for what, name in PROVED_ELSEWHERE.items():
        assert name in proofs[what] and (Path(__file__).parent / name).exists()


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_module_is_drawn() -> None:
    """Its name is in the list of rooms, or that of its room within a room; api/ and cli/ are drawn by what they do."""
    drawn = set(re.findall(r"\w+", (DOCS / "architecture.md").read_text().split("## Rooms")[1].split("## Layers")[0]))
    top = Path(report.__file__).parents[1]
    within = [path for path in top.glob("*/[a-z]*") if path.parent.name not in ("api", "cli")]
    names = {path.stem for path in (*top.glob("[a-z]*"), *within) if path.suffix in ("", ".py")}
    assert names - drawn == set()


# --- what is built --------------------------------------------------------------------------------------------------


class StandIn:
    """Takes the place of TensorFlow's process: a recipe is asked for its file, everything else is small_models'."""

    def call(self, function: Any, *args: Any) -> Any:
        return (
            self.convert(*args) if function.__name__ == "convert" else getattr(small_models, function.__name__)(*args)
        )

    def convert(self, path: Path, make: Any, feeds: Any, calibration: Any, target: Path, *rest: Any) -> None:
        target.write_bytes(make.configure(None))


def test_a_variant_is_one_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(variants, "RECIPES", dict(variants.RECIPES))
    for module in ("harness.experiment.resolve", "harness.experiment.experiment_file"):
        monkeypatch.setattr(f"{module}.RECIPES", variants.RECIPES)

    @variants.variant("int8_new", io="int8", weights="int8", activations="int8", calibrated=True)
    def int8_new(converter: Any) -> bytes:
        return small_models.tflite("int8").read_bytes()

    assert "int8_new" in experiment_of("digits", None, (), plan_of("none")).variants
    experiment = experiment_of("digits", None, ["int8_new"], plan_of("none"))
    keras = lambda log: cast(Any, nullcontext(cast(KerasProcess, StandIn())))  # noqa: E731
    (built,) = build(experiment, digits.load(), Cache(tmp_path), lambda text: None, keras).variants
    assert (built.name, built.status, built.inputs[0].dtype) == ("int8_new", "ok", "int8")
    for name in ("model.keras", "test.npz"):
        (tmp_path / name).touch()
    own = 'name = "own"\nmodel.source = "model.keras"\ndata.test = "test.npz"\nvariants.build = ["int8_new"]\n'
    (tmp_path / "experiment.toml").write_text(own)
    assert read_experiment(tmp_path / "experiment.toml").variants == ("int8_new",)


class Halves:
    """A Model of a kind of its own: it halves its only number."""

    facts = Facts((Tensor("x", "float32", (-1, 1)),), (Tensor("y", "float32", (-1, 1)),), 0)
    state = ()

    def __init__(self, path: Path) -> None:
        self.path = path

    def predict(self, inputs: Any) -> list[np.ndarray]:
        return [inputs[0] / 2]

    def converter(self, feeds: Any, *rest: Any) -> Any:
        return type("Converter", (), {"representative_dataset": None})()


def test_a_kind_of_model_is_one_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The line in `load` that says which class opens a path: here a folder's."""
    monkeypatch.setattr(saved_model, "SavedModel", Halves)
    assert models.describe(tmp_path) == Halves.facts
    recipe = variants.Recipe("own", lambda converter: b"a file", variants.RECIPES["float32"].expectation, False)
    feed = Feed(Halves.facts.inputs[0], 0, Affine())
    variants.convert(tmp_path, recipe, [feed], (), tmp_path / "own.tflite")
    assert (tmp_path / "own.tflite").read_bytes() == b"a file"


def toy_data(path: Path | None = None) -> Dataset:
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    return Dataset("toy", (x,), np.arange(4) % 2, (x,), np.arange(4) % 2, (Affine(),), ("no", "yes"), "made")


class TrainedToy:
    def save(self, path: Path) -> None:
        path.write_text("trained")


def test_a_workload_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(WORKLOADS, "toy", Workload("toy", toy_data, lambda data, seed: cast(Any, TrainedToy())))
    experiment = experiment_of("toy", None, (), plan_of("none"))
    assert (experiment.name, experiment.load().class_names) == ("toy", ("no", "yes"))
    assert experiment.model is not None and (experiment.model.kind, experiment.model.where) == ("workload", "toy")
    train_to("toy", experiment.load(), 1, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").read_text() == "trained"


class Digits:
    """A kind of data: a text with one digit a line, which is sample and label."""

    SAID = "a .digits file"
    OPTIONS: tuple[str, ...] = ()

    @staticmethod
    def fits(split: Split) -> bool:
        return split.path.suffix == ".digits"

    @staticmethod
    def key(split: Split) -> str:
        return split.path.read_text()

    @staticmethod
    def write(split: Split, folder: Path) -> None:
        values = np.array([int(line) for line in split.path.read_text().split()], np.uint8)
        with SamplesWriter(folder) as writer:
            writer.add({"x": values[:, None]}, values)
        write_about(folder, writer.names)


def test_a_kind_of_data_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, Digits))
    (tmp_path / "test.digits").write_text("3\n1\n2\n")
    dataset = kinds.load(DataSource("own", "test.digits", None, tmp_path))
    assert dataset.test_labels is not None
    assert (dataset.test_inputs[0].tolist(), dataset.test_labels.tolist()) == ([[3], [1], [2]], [3, 1, 2])
    with pytest.raises(Exception) as refused:
        (tmp_path / "test.other").touch()
        kinds.load(DataSource("own", "test.other", None, tmp_path))
    assert Digits.SAID in refused.value.advice  # type: ignore[attr-defined]


# --- what is computed -----------------------------------------------------------------------------------------------


def test_a_task_is_one_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of letters: each sample has three, and each is told by the larger of two numbers."""

    def is_letters(given: task_table.Given) -> bool:
        return given.labels is not None and given.labels.ndim == 2 and given.output.shape[1:] == (3, 2)

    def letters_differ(answers: registry.Answers, logits: bool) -> np.ndarray:
        apart = (answers.outputs != answers.baseline).sum(axis=1).astype(np.float32)
        return structured(dict.fromkeys(("max_abs_diff", "l2", "cosine", "letters"), apart))

    toy = cast(Any, "toy")
    told = task_table.Told(lambda _, row: "".join("ab"[n] for n in row), lambda _, row: f"{row.sum()} b", "letters")
    kind = task_table.TaskKind(
        toy, is_letters, decode=lambda y, logits: y.argmax(axis=-1), rows=letters_differ, told=told,
        flips=task_table.Flips(lambda answers: (answers.outputs != answers.baseline).any(axis=1), "not {} word"),
    )  # fmt: skip
    monkeypatch.setattr(task_table, "TASK_TABLE", (kind, *task_table.TASK_TABLE))
    metric = registry.Metric(
        "letter_errors", unit="", title="Letters", about="answers", better="lower", tasks=(toy,), default_for=(toy,),
        statistic=lambda answers: means((answers.outputs != answers.truth).mean(axis=1)),
    )  # fmt: skip
    monkeypatch.setitem(registry.METRICS, metric.name, metric)
    labels = np.array([[0, 1, 1], [1, 1, 0]])
    right = np.eye(2, dtype=np.float32)[labels]
    wrong = right.copy()
    wrong[0, 0] = (0, 1)
    data = replace(toy_data(), test_inputs=(labels,), test_labels=labels, class_names=())
    scoring, task = fitting.check(Scoring(), data, [right])
    assert (scoring.primary, task) == ("letter_errors", "toy")
    comparison = compare(run_of(task, labels, right, {"float32": right, "int8": wrong}, scoring))
    change = comparison.change(case("int8"), "letter_errors")
    assert change is not None and change.value == pytest.approx(1 / 6)
    assert "letters" in fields_of(comparison.samples[case("int8")])
    assert comparison.samples[case("int8")]["letters"].tolist() == [1, 0]
    sample = number_sample(comparison, 0)
    assert (sample.label, [(a.text, a.apart) for a in sample.answers]) == ("2 b", [("abb", 0), ("abb", 0), ("bbb", 1)])
    assert Scorer(comparison.run).flips(wrong.argmax(axis=-1), labels).tolist() == [True, False]


def test_a_task_has_a_starter_or_a_reason_why_not() -> None:
    """What `harness init` writes may know more than tasks: heads are of several."""
    tasks = {kind.name for kind in task_table.TASK_TABLE}
    assert tasks <= {*starters.STARTERS, *starters.WITHOUT_STARTER}
    assert set(starters.WITHOUT_STARTER) <= tasks - set(starters.STARTERS)
    folders = {path.parent.name for path in starters.FOLDER.glob("*/experiment.toml")}
    assert folders == set(starters.STARTERS)


# --- where it is measured -------------------------------------------------------------------------------------------


def test_a_runtime_is_an_entry_and_its_releases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("toy_runtime")
    module.Interpreter = type("Interpreter", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_runtime", module)
    monkeypatch.setitem(engines.ENGINES, "toy-runtime", "toy_runtime")
    newest = runtimes.release("toy-runtime", "1.0", ["aarch64"], ">=3.11", "2.30", "numpy")
    monkeypatch.setattr(runtimes, "RELEASES", (*runtimes.RELEASES, newest))
    assert engines.interpreter_class("toy-runtime") is module.Interpreter
    assert runtimes.check_runtimes(["toy-runtime"]) == ("toy-runtime",)
    assert runtimes.release_for("toy-runtime", "aarch64", "3.11.2", "2.36") == newest
    assert not runtimes.exists_for("toy-runtime", "3.9.0")
    (tmp_path / "pi.toml").write_text('kind = "ssh"\nhost = "pi"\nruntimes = ["toy-runtime"]\n')
    assert known_targets(tmp_path)["pi"].runtimes == ("toy-runtime",)


def test_other_kernels_are_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("toy_runtime")
    module.Interpreter, module.Slow = type("Interpreter", (), {}), type("Slow", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_runtime", module)
    monkeypatch.setitem(engines.ENGINES, "toy-runtime", "toy_runtime")
    monkeypatch.setitem(engines.KERNELS, "toy-runtime", {"slow": lambda library: library.Slow})
    assert engines.interpreter_class("toy-runtime:slow") is module.Slow
    monkeypatch.setattr(engines, "library_version", lambda library: "1.0")
    assert engines.interpreter_class("toy-runtime@1.0") is module.Interpreter
    (tmp_path / "pi.toml").write_text('kind = "ssh"\nhost = "pi"\nruntimes = ["toy-runtime:slow"]\n')
    assert known_targets(tmp_path)["pi"].runtimes == ("toy-runtime:slow",)


def test_every_target_has_a_new_runtime_unless_its_file_names_others() -> None:
    script = "from harness.device.engines import ENGINES; ENGINES['toy-runtime'] = 'toy'\n"
    script += "from harness.measure.targets import host; print(*host().runtimes)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "toy-runtime"


def test_every_runtime_has_releases_and_a_pin() -> None:
    pins = (DOCS.parent / "pyproject.toml").read_text()
    assert {release.runtime for release in runtimes.RELEASES} == set(engines.ENGINES)
    assert all(f'"{name}==' in pins for name in engines.ENGINES)


def test_a_device_is_one_file(harness: Call, tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text('kind = "ssh"\nhost = "bench.local"\nthreads = [1, 4]\n')
    (target,) = select_targets(("bench",), tmp_path)
    assert (target.host, target.threads) == ("bench.local", (1, 4))
    code, out, _ = harness("targets", "--targets-dir", str(tmp_path))
    assert code == 0 and "bench.local" in out


class Renamed(Local):
    """A kind of connection: this machine, in a folder that `host` names."""

    def __init__(self, target: Any, run_id: str, tune: bool = False) -> None:
        super().__init__(replace(target, workdir=target.host), run_id, tune)


def test_a_kind_of_connection_is_one_line(monkeypatch: pytest.MonkeyPatch, own_lock: Path, tmp_path: Path) -> None:
    monkeypatch.setitem(KINDS, "folder", Kind(f"{__name__}:Renamed"))
    (tmp_path / "here.toml").write_text(f'kind = "folder"\nhost = "{tmp_path / "device"}"\n')
    target = known_targets(tmp_path)["here"]
    with closing(connect(target, "run")) as connection:
        assert isinstance(connection, Renamed)
        assert connection.environment.python == ".".join(map(str, sys.version_info[:3]))
    assert (tmp_path / "device" / "code").is_dir()


# --- what is shown --------------------------------------------------------------------------------------------------


def test_a_report_format_is_one_line(monkeypatch: pytest.MonkeyPatch, harness: Call, tmp_path: Path) -> None:
    module = ModuleType("harness.report.out.toy")
    module.render = lambda material: f"{len(material.rows)} rows\n"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(report.FORMATS, "toy", report.Format("toy"))
    run = shutil.copytree(RECORDED, tmp_path / "run")
    code, out, _ = harness("report", str(run), "--format", "toy")
    assert code == 0 and re.fullmatch(r"[1-9]\d* rows\n", out)


def commands() -> dict[str, Any]:
    return cast(Any, typer.main.get_command(app)).commands


def test_an_option_is_a_parameter(harness: Call) -> None:
    def greet(name: str = "nobody") -> None:
        print(f"hello {name}")

    app.command()(greet)
    try:
        assert harness("greet", "--name", "you") == (0, "hello you\n", "")
    finally:
        app.registered_commands.pop()


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_option_is_in_the_contract(command: str) -> None:
    contract = (DOCS / "interface.md").read_text()
    assert f"harness {command}" in contract
    options = [p for p in commands()[command].params if p.param_type_name == "option" and not p.hidden]
    assert [p.opts[-1] for p in options if not re.search(rf"{p.opts[-1]}\b", contract)] == []
