"""harness cure on real models that are broken in one known way: what is known to cure them is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.build import builder
from harness.build.keras_process import KerasProcess
from harness.cli.schemas import schema_of
from harness.experiment.recipe_file import read_recipe
from harness.treatment import luck, stored_cure
from tests.conftest import Call
from tests.curable_models import save_models, write_all

pytestmark = pytest.mark.slow  # real conversions; one process of TensorFlow serves them all


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, KerasProcess]]:
    """The experiments, and a process of TensorFlow that stays."""
    folder = tmp_path_factory.mktemp("broken")
    with KerasProcess(folder / "tensorflow.log") as keras:
        write_all(folder)
        keras.call(save_models, folder)
        yield folder, keras


class Shared:
    """Stands for KerasProcess where one would be opened."""

    def __init__(self, keras: KerasProcess) -> None:
        self.keras = keras

    def __call__(self, log: Path) -> Shared:
        return self

    def __enter__(self) -> KerasProcess:
        return self.keras

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def broken(made: tuple[Path, KerasProcess], own_lock: Path, harness: Call, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an experiment once, and cures a row of it."""
    folder, keras = made
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    shared = Shared(keras)
    monkeypatch.setattr(builder.build, "__defaults__", (shared, *builder.build.__defaults__[1:]))
    monkeypatch.setattr(stored_cure, "KerasProcess", shared)

    def run_of(name: str) -> str:
        if not (found := list(Path("results", name).glob("2*"))):
            code, _, said = harness("run", f"{name}.experiment.toml", "--plan", "none", "--runtime", "ai-edge-litert")
            assert code in (0, 1), said
            found = list(Path("results", name).glob("2*"))
        return str(found[0])

    def cure(name: str, variant: str, *options: str) -> tuple[int, dict[str, Any]]:
        experiment = f"{name}.experiment.toml"
        asked = ("--experiment", experiment, "--policy", "policy.toml", "--json", *options)
        code, said, told = harness("cure", run_of(name), "-v", variant, *asked)
        assert said, told
        found = json.loads(said)
        jsonschema.validate(found, schema_of("cure"))
        return code, found

    cure.run_of = run_of  # type: ignore[attr-defined]
    return cure


def last(found: dict[str, Any]) -> dict[str, Any]:
    trial = found["trials"][-1]
    assert trial["searched"]["outcome"] == "pass" and trial["held"]["outcome"] == "pass"
    assert {found["samples"][0], found["samples"][1]} == {450} and trial["held"]["samples"] == 450
    return dict(trial["remedy"])


def test_a_sound_row_needs_no_cure(broken):
    code, found = broken("plain", "int8")
    assert code == 0 and found["ending"] == "nothing_to_cure" and found["trials"] == []


@pytest.mark.parametrize("variant", ["narrow", "one_class"])
def test_a_bad_calibration_set_is_cured_by_the_experiments_own(broken, variant):
    code, found = broken("plain", variant)
    assert code == 0 and found["ending"] == "cured"
    assert last(found)["recipe"] == {
        "recipe": "int8", "keep_float": [], "samples": None, "drawn": "balanced", "seed": None, "ranges": "all",
        "data": None,
    }  # fmt: skip


def test_outliers_among_the_calibration_samples_are_cured_by_ranges_without_them(broken, tmp_path):
    code, found = broken("outlier", "int8", "--out", str(tmp_path / "mended.toml"))
    remedy = last(found)
    assert code == 0 and remedy["kind"] == "calibration" and remedy["recipe"]["ranges"] in ("99.9%", "99%")
    assert "calibration_wide" in found["causes"]
    kept = read_recipe(tmp_path / "mended.toml")
    assert kept.ranges == remedy["recipe"]["ranges"] and found["recipe"] == (tmp_path / "mended.toml").read_text()


@pytest.mark.parametrize(("name", "layer"), [("wild", "hidden"), ("residual", "there")])
def test_a_layer_that_quantises_badly_stays_in_float32(broken, name, layer):
    code, found = broken(name, "int8")
    remedy = last(found)
    assert code == 0 and remedy["kind"] == "keep_float", remedy
    assert any(layer in kept for kept in remedy["recipe"]["keep_float"])
    kept = [trial["remedy"]["recipe"]["keep_float"] for trial in found["trials"]]
    assert sorted(map(len, kept)) == list(map(len, kept)), "the fewest layers first"


def test_a_run_builds_what_a_cure_found(broken, harness):
    code, found = broken("wild", "int8")
    assert code == 0 and found["ending"] == "cured", "what was found stays, and is not searched again"
    (recipe,) = Path(broken.run_of("wild"), "cured").glob("*.toml")
    asked = ("--plan", "none", "--runtime", "ai-edge-litert", "-v", "float32", "-v", str(recipe))
    code, said, told = harness("run", "wild.experiment.toml", *asked, "--json", "--policy", "policy.toml")
    (row,) = (row for row in json.loads(said) if row["variant"] == "int8_cured")
    assert code == 0 and row["status"] == "ok" and abs(row["accuracy_drop_pp"]) < 3, told


def test_where_nothing_helps_it_says_so_and_goes_on_where_it_stopped(broken):
    Path("small.toml").write_text('[[rule]]\nmetric = "size_bytes"\nmax = "1KB"\n')
    code, found = broken("plain", "float16", "--policy", "small.toml")
    assert code == 1 and found["ending"] == "not_cured" and found["recipe"] == ""
    assert [trial["remedy"]["words"] for trial in found["trials"]] == ["another format: dynamic_range"]


def test_luck_draws_the_calibration_set_anew(broken, monkeypatch):
    monkeypatch.setattr(luck, "DRAWS", 3)
    code, found = broken("plain", "int8", "--luck")
    assert code == 0 and len(found["draws"]) == 3 and found["drawn"] == "again", "897 samples are few"
    assert found["other"] == 0 and found["other_at_most"] == pytest.approx(1 - 0.05 ** (1 / 3))
    assert len({draw["sha256"] for draw in found["draws"]}) > 1


def test_what_cannot_be_cured_says_why(broken, harness):
    run = broken.run_of("plain")
    code, _, said = harness("cure", run, "-v", "int4")
    assert code == 2 and "no such row" in said
    code, _, said = harness("cure", run, "-v", "narrow")
    assert code == 2 and "--experiment FILE" in said
    code, _, said = harness("cure", run, "-v", "narrow", "-e", "outlier.experiment.toml")
    assert code == 2 and "the run is of plain" in said
    Path("strict.toml").write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "0.3pp"\n')
    code, _, said = harness("cure", run, "-v", "narrow", "-e", "plain.experiment.toml", "--policy", "strict.toml")
    assert code == 2 and "it needs" in said and "there are 450" in said
    code, _, said = harness("cure", run, "-v", "narrow", "--luck", "--out", "x.toml", "-e", "plain.experiment.toml")
    assert code == 2 and "leave out" in said
