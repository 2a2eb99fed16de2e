"""What other tools are given: OpenMetrics text, MLflow's JSON, and the recipes of docs/export.md over Parquet files."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from harness.compare.baseline import compare
from harness.records import Comparison
from harness.report import left_out, render
from harness.report.material import Material
from harness.runs.loading import load
from harness.runs.table_files import write_tables
from tests.devices import RECORDED

EXPORT = (Path(__file__).parents[1] / "docs" / "export.md").read_text("utf-8")
SAMPLE = re.compile(r'(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>(?:\w+="(?:[^"\\]|\\["\\n])*",?)*)\} (?P<value>\S+)')


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(load(RECORDED))


def recipe(language: str, heading: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", EXPORT.split(f"## {heading}\n")[1].split("\n## ")[0], re.DOTALL)
    return str(found)


def read(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The families by their names, by the grammar of OpenMetrics 1.0: TYPE, UNIT, then samples, and EOF at the end."""
    *lines, end = text.split("\n")[:-1]
    assert end == "# EOF"
    families: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in lines:
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in families and kind == "gauge"
            families[name] = []
        elif line.startswith("# UNIT "):
            assert line.split()[2] == name and name.endswith(f"_{line.split()[3]}")
        else:
            found = SAMPLE.fullmatch(line)
            assert found and found["name"] == name, line
            families[name].append((dict(re.findall(r'(\w+)="(.*?)"', found["labels"])), float(found["value"])))
    return families


def test_prometheus_is_given_base_units(comparison: Comparison) -> None:
    families = read(render(Material(comparison), "openmetrics"))
    for change in comparison.changes:
        if change.metric != "latency_p50":
            continue
        case = change.case
        wanted = {"variant": case.variant, "target": case.target, "runtime": case.runtime, "threads": "1"}
        for end, us in (("", change.value), ("_low", change.low), ("_high", change.high)):
            family = families[f"edge_harness_latency_p50{end}_seconds"]
            (seconds,) = (value for told, value in family if told.items() >= wanted.items())
            assert seconds == pytest.approx(us / 1e6)
    assert families["edge_harness_run_info"][0][0]["run_id"] == comparison.run.run_id
    assert {value for _, value in families["edge_harness_row_ok"]} == {1.0}
    assert "edge_harness_size_bytes" in families and "edge_harness_accuracy_drop_ratio" in families
    assert not any(math.isnan(value) for samples in families.values() for _, value in samples)
    assert "edge_harness_verdict_pass" not in families  # nobody asked for one


def test_mlflow_is_given_what_its_client_takes(comparison: Comparison) -> None:
    told = json.loads(render(Material(comparison), "mlflow"))
    keys = [metric["key"] for metric in told["metrics"]]
    assert len(set(keys)) == len(keys) and all(re.fullmatch(r"[\w\-./ ]{1,250}", key) for key in keys)
    values = {metric["key"]: metric["value"] for metric in told["metrics"]}
    accuracy = {c.case: c.value for c in comparison.changes if c.metric == "accuracy"}
    for case, value in accuracy.items():
        place = f"{case.variant}/{case.target}-{case.runtime}-t{case.threads}"
        assert values[f"{place}/accuracy_fraction"] == value
        ends = [values[f"{place}/accuracy_drop_pp{end}"] for end in ("_low", "", "_high")]
        assert ends == sorted(ends) and ends[0] < ends[2]
    params = {param["key"]: param["value"] for param in told["params"]}
    assert params["plan"] == "quick" and all(isinstance(value, str) and len(value) < 500 for value in params.values())
    assert (told["experiment"], told["run_name"]) == ("digits", comparison.run.run_id)


class Entity:
    """One of mlflow.entities: what it is made of are its fields."""

    def __init__(self, key: str, value: Any, timestamp: int = 0, step: int = 0) -> None:
        assert re.fullmatch(r"[\w\-./ ]{1,250}", key)
        self.key, self.value = key, value


class Client:
    """MLflow's client, as far as the recipe calls it, with the limits of its REST API's log-batch: at most 1,000
    metrics, 100 params, 100 tags and 1,000 of all, a param under 6,001 and a tag under 8,001 characters.
    """

    logged: ClassVar[dict[str, dict[str, Any]]] = {}  # kind → key → value
    artifacts: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return f"experiment {name}"

    def create_run(self, experiment_id: str, run_name: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(run_id=f"{run_name} of {experiment_id}"))

    def log_batch(
        self, run_id: str, metrics: Sequence[Entity] = (), params: Sequence[Entity] = (), tags: Sequence[Entity] = ()
    ) -> None:
        assert len(metrics) <= 1000 and len(params) <= 100 and len(tags) <= 100
        assert len(metrics) + len(params) + len(tags) <= 1000
        assert all(len(one.value) <= 6000 for one in params) and all(len(one.value) <= 8000 for one in tags)
        for kind, given in (("metrics", metrics), ("params", params), ("tags", tags)):
            self.logged.setdefault(kind, {}).update({one.key: one.value for one in given})

    def log_artifact(self, run_id: str, local_path: str) -> None:
        assert Path(local_path).is_file()
        self.artifacts.append(local_path)

    def set_terminated(self, run_id: str) -> None:
        self.ended.append(run_id)


@pytest.fixture
def told(comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file that the recipe reads, of a run of a hundred rows."""
    monkeypatch.chdir(tmp_path)
    content = json.loads(render(Material(comparison), "mlflow"))
    content["tags"] += [{"key": f"status.further.{n}", "value": "ok"} for n in range(100)]
    Path("mlflow.json").write_text(json.dumps(content))
    return content


def as_mlflow_has_it(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in given}


def test_the_recipe_for_mlflow_keeps_to_its_limits(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entities = SimpleNamespace(Metric=Entity, Param=Entity, RunTag=Entity)
    monkeypatch.setitem(sys.modules, "mlflow", cast(ModuleType, SimpleNamespace(MlflowClient=Client)))
    monkeypatch.setitem(sys.modules, "mlflow.entities", cast(ModuleType, entities))
    exec(recipe("python", "MLflow"), {})  # noqa: S102  our own page
    for kind in ("metrics", "params", "tags"):
        assert Client.logged[kind] == as_mlflow_has_it(told[kind]) and told[kind]
    assert Client.artifacts == told["artifacts"] != []
    assert Client.ended == [f"{told['run_name']} of experiment digits"]


if find_spec("mlflow"):  # where somebody has installed it: it is no part of the set-up, and brings thirty packages

    def test_mlflow_itself_gives_back_what_the_recipe_logged(
        told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
        mlflow = import_module("mlflow")
        found: dict[str, Any] = {}
        exec(recipe("python", "MLflow"), found)  # noqa: S102  our own page
        data = mlflow.MlflowClient().get_run(found["run"]).data
        assert data.metrics == as_mlflow_has_it(told["metrics"])
        assert data.params == as_mlflow_has_it(told["params"])
        assert data.tags.items() >= as_mlflow_has_it(told["tags"]).items()
        kept = {one.path for one in mlflow.MlflowClient().list_artifacts(found["run"])}
        assert kept == {Path(path).name for path in told["artifacts"]}


@pytest.mark.parametrize("format", ["openmetrics", "mlflow"])
def test_what_did_not_end_well_is_no_figure_and_is_named(comparison: Comparison, format: str) -> None:
    first, *others = comparison.standings
    broken = replace(comparison, standings=(replace(first, status="failed", reason="it fell over"), *others))
    (told,) = left_out(Material(broken), format)
    assert "left out, failed: it fell over" in told and first.case.variant in told
    whole, less = (render(Material(which), format).count("accuracy_drop") for which in (comparison, broken))
    assert less < whole


@pytest.mark.parametrize("format", ["openmetrics", "mlflow"])
def test_an_emulated_devices_times_are_left_out(comparison: Comparison, format: str) -> None:
    run = comparison.run
    (record,) = run.targets
    emulated = replace(run, targets=(replace(record, target=replace(record.target, emulated=True)),))
    material = Material(replace(comparison, run=emulated))
    text = render(material, format)
    assert "latency" not in text and "rss" not in text and "accuracy" in text
    assert "emulated" in left_out(material, format)[0]


@pytest.fixture(scope="module")
def tables(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(comparison, folder)
    return folder


def values_of(comparison: Comparison, metric: str) -> dict[tuple[str, str], float]:
    return {(c.case.variant, c.case.runtime): c.value for c in comparison.changes if c.metric == metric}


def test_the_recipe_for_pandas_finds_the_reports_figures(
    comparison: Comparison, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    found: dict = {}
    exec(recipe("python", "pandas"), found)  # noqa: S102  our own page
    for (variant, _, runtime, _), us in found["p50"].items():
        assert us == pytest.approx(values_of(comparison, "latency_p50")[variant, runtime], rel=1e-6)
    assert found["flips"]["count"].sum() == sum(values_of(comparison, "flips").values())


def test_the_recipe_for_duckdb_finds_the_reports_figures(
    comparison: Comparison, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")  # of the extra dev
    monkeypatch.chdir(tables)
    samples, latency = (duckdb.sql(query).fetchall() for query in recipe("sql", "DuckDB").split(";")[:2])
    flips, accuracy, p50 = (values_of(comparison, metric) for metric in ("flips", "accuracy", "latency_p50"))
    assert len(samples) == len(latency) == len(comparison.standings)
    for variant, runtime, count, flipped, right in samples:
        assert (count, flipped) == (comparison.run.test_count, flips[variant, runtime])
        assert right == pytest.approx(accuracy[variant, runtime])
    for variant, runtime, us in latency:
        assert us == pytest.approx(p50[variant, runtime], rel=1e-6)
