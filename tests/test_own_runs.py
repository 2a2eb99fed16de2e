"""A run from elsewhere: nothing that it names is executed or followed, unless this user began it, or trusts it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import harness as front
from harness import pipeline
from harness.errors import ConfigError, StoreError
from harness.metrics.fitting import with_declarations
from harness.records import Scoring, TargetRecord
from harness.runs.header import read_header
from harness.runs.loading import load
from harness.runs.own_runs import is_own, own_runs
from harness.runs.store import Store
from tests.conftest import Call
from tests.devices import Quiet
from tests.sealed_runs import RUN_ID, sealed_run, unfinished_run

METRIC = """
from pathlib import Path
Path(__file__).with_name("called").touch()
def sharpness(labels, outputs):
    return outputs.max(axis=-1)
"""


@pytest.fixture
def own_metric(tmp_path: Path, request: pytest.FixtureRequest) -> Scoring:
    """A user's metric; its module leaves a file behind when it is imported."""
    module = f"own_metric_{abs(hash(request.node.name))}"
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / f"{module}.py").write_text(METRIC)
    scoring = with_declarations(Scoring("accuracy", (f"{module}:sharpness",), folder=folder))
    (folder / "called").unlink()
    return scoring


def forget(module: str) -> None:
    import sys

    sys.modules.pop(module, None)


def called(scoring: Scoring) -> bool:
    """Whether the metric's module was imported again since it was asked last."""
    marker = scoring.folder / "called"
    found = marker.exists()
    marker.unlink(missing_ok=True)
    forget(scoring.declared[0].reference.partition(":")[0])
    return found


def how_it_was_made(results: Path, trust: bool = False) -> str:
    """The column `method` of the metric."""
    metrics = front.load(RUN_ID, results, trust=trust).metrics
    return str(metrics[metrics.metric == "sharpness"].method.iloc[0])


def test_ones_own_run_calls_its_own_metric_without_a_word(tmp_path: Path, own_metric: Scoring) -> None:
    sealed_run(tmp_path / "results", scoring=own_metric)
    forget(own_metric.declared[0].reference.partition(":")[0])
    assert "left out" not in how_it_was_made(tmp_path / "results")
    assert called(own_metric)
    (tmp_path / "results").rename(tmp_path / "moved")
    assert "left out" not in how_it_was_made(tmp_path / "moved")


@pytest.mark.parametrize("words", [("report", "--format", "csv"), ("show", "--sample", "0"), ("gate",)], ids=str)
def test_a_run_from_elsewhere_executes_nothing(
    tmp_path: Path, own_metric: Scoring, harness: Call, words: tuple[str, ...]
) -> None:
    sealed_run(tmp_path / "results", scoring=own_metric)
    own_runs().unlink()  # as on another machine
    forget(own_metric.declared[0].reference.partition(":")[0])
    code, _, err = harness(words[0], RUN_ID, *words[1:], "--results", str(tmp_path / "results"))
    assert code in (0, 1), err
    assert not called(own_metric)


def test_compare_executes_nothing_of_either_side(tmp_path: Path, own_metric: Scoring, harness: Call) -> None:
    sealed_run(tmp_path, scoring=own_metric)
    sealed_run(tmp_path, "20260102-000000-0000", scoring=own_metric)
    own_runs().unlink()
    forget(own_metric.declared[0].reference.partition(":")[0])
    assert harness("compare", RUN_ID, "20260102-000000-0000", "--results", str(tmp_path))[0] == 0
    assert not called(own_metric)


def test_what_was_left_out_is_said_with_how_to_include_it(tmp_path: Path, own_metric: Scoring, harness: Call) -> None:
    sealed_run(tmp_path, scoring=own_metric)
    own_runs().unlink()
    assert "left out" in how_it_was_made(tmp_path) and "--trust" in how_it_was_made(tmp_path)
    page = harness("report", RUN_ID, "--format", "markdown", "--results", str(tmp_path))[1]
    assert "sharpness is left out" in page and "--trust" in page
    assert "left out" not in how_it_was_made(tmp_path, trust=True)
    assert "left out" in how_it_was_made(tmp_path), "one --trust is of one command"


def test_a_rule_on_what_was_left_out_does_not_pass(tmp_path: Path, own_metric: Scoring, harness: Call) -> None:
    sealed_run(tmp_path, scoring=own_metric)
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nmetric = "sharpness"\nmin = 0.0\n')
    gate = ("gate", RUN_ID, "--policy", str(policy), "--results", str(tmp_path))
    own_runs().unlink()
    code, out, _ = harness(*gate)
    assert code == 1 and "may ship" not in out.lower()


def test_a_run_cannot_say_of_itself_that_it_is_trusted(tmp_path: Path, own_metric: Scoring) -> None:
    run = unfinished_run(tmp_path, scoring=own_metric).path
    own_runs().unlink()
    content = json.loads((run / "run.json").read_text())
    assert "trusted" not in content["scoring"]
    content["scoring"]["trusted"] = True
    (run / "run.json").write_text(json.dumps(content))
    assert load(run).withheld


def test_what_a_run_names_may_not_be_changed_afterwards(tmp_path: Path, own_metric: Scoring) -> None:
    run = unfinished_run(tmp_path, scoring=own_metric).path
    header = read_header(run)
    assert is_own(header)
    (target,) = header.targets
    for changed in (
        replace(header, scoring=replace(header.scoring, folder=Path("/elsewhere"))),
        replace(header, run_id="20260103-000000-0000"),
        replace(header, targets=(replace(target, target=replace(target.target, kind="ssh", ssh_config="/x")),)),
    ):
        assert not is_own(changed)


# Devices.


def test_the_ssh_config_of_a_run_from_elsewhere_is_not_followed(tmp_path: Path, harness: Call) -> None:
    run = unfinished_run(tmp_path / "results").path
    witness, config = tmp_path / "ran", tmp_path / "ssh_config"
    config.write_text(f"Host *\n  ProxyCommand touch {witness}\n")
    content = json.loads((run / "run.json").read_text())
    content["targets"][0]["target"] |= {"kind": "ssh", "host": "pi@nowhere", "ssh_config": str(config)}
    shutil.rmtree(run / "raw")
    (run / "run.json").write_text(json.dumps(content))
    code, _, err = harness("run", "--resume", RUN_ID, "--results", str(tmp_path / "results"))
    assert code == 2 and not witness.exists()
    assert "was not begun by you" in err and "pi@nowhere" in err and str(config) in err and "--trust" in err
    if shutil.which("ssh"):
        assert harness("run", "--resume", RUN_ID, "--trust", "--results", str(tmp_path / "results"))[0] == 3
        assert witness.exists(), "with --trust it is: else this test shows nothing"


def test_the_models_of_a_run_from_elsewhere_do_not_run_here(tmp_path: Path) -> None:
    unfinished_run(tmp_path)
    own_runs().unlink()
    with pytest.raises(ConfigError, match="was not begun by you"):
        pipeline.resume(RUN_ID, Store(tmp_path), Quiet())


def test_a_target_made_in_python_is_ones_own_too(tmp_path: Path) -> None:
    """A number or a path may come back from run.json as another type."""
    run = unfinished_run(tmp_path)
    (known,) = run.header.targets
    target = replace(known.target, start_temperature_c=55)
    target = replace(target, ssh_config=Path("an ssh_config"))  # type: ignore[arg-type]
    named = replace(run.header, run_id="20260101-000000-0001", targets=(TargetRecord(target),), variants=(), cases=())
    record = Store(tmp_path).open(named, run.dataset, [])
    assert is_own(read_header(record.path))


def test_without_a_home_that_can_be_written_a_run_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert not is_own(read_header(sealed_run(tmp_path)))


# Names.


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("targets.0.target.name", "../../outside"), ("targets.0.target.name", "/outside"), ("run_id", "../x"),
        ("experiment", "a/b"), ("variants.0.name", "..\\x"), ("cases.0.variant", "a\0b"), ("cases.0.runtime", ".."),
        ("variants.0.path", "/etc/passwd"), ("variants.0.path", "../../other.tflite"), ("run_id", ""),
    ],
)  # fmt: skip
def test_a_name_that_leaves_its_folder_is_refused_on_reading(tmp_path: Path, where: str, name: str) -> None:
    run = unfinished_run(tmp_path).path
    content = json.loads((run / "run.json").read_text())
    *way, last = [int(key) if key.isdigit() else key for key in where.split(".")]
    inner = content
    for key in way:
        inner = inner[key]
    inner[last] = name
    (run / "run.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"run\.json cannot be (read|used)"):
        read_header(run)


def test_such_a_name_is_refused_on_writing(tmp_path: Path) -> None:
    record = unfinished_run(tmp_path / "a")
    bad = replace(record.header, experiment="../up", variants=())
    with pytest.raises(ConfigError, match="is not a name"):
        Store(tmp_path / "b").open(bad, record.dataset, [])
    assert not (tmp_path / "b").exists()
