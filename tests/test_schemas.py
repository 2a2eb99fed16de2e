"""Every --json has a schema, and what is printed keeps it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.build.preparation_cost import Cost
from harness.cli import app, command_parity, command_run
from harness.cli.schemas import SCHEMAS, schema_of
from harness.compare.baseline import compare
from harness.data.preprocessing.parity import Difference, Parity
from harness.measure.provision.doctor import Diagnosis
from harness.measure.selftest.aa_result import AaResult
from harness.measure.selftest.audit_result import AuditResult, Terms
from harness.runs.audits import document as audit_document
from harness.runs.loading import load
from tests.conftest import Call
from tests.devices import RECORDED


def check(command: str, printed: Any) -> None:
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(printed, default=str)), schema, jsonschema.Draft202012Validator)


def test_every_command_that_prints_json_has_a_schema() -> None:
    import typer

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    printing = {name for name, command in commands.items() if "--json" in [o for p in command.params for o in p.opts]}
    assert printing == set(SCHEMAS)


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "latest", "--sample", "3", "--trust"),
        ("show", "latest", "--worst", "3", "--trust"),
        ("gate", "latest"),
        ("compare", "latest", "latest"),
        ("trend", "--all"),
        ("power", "--samples", "300"),
        ("targets",),
    ],
    ids=lambda words: words[0],
)
def test_what_is_printed_keeps_its_schema(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    shutil.copytree(RECORDED, tmp_path / "results" / "digits" / RECORDED.name)
    monkeypatch.chdir(tmp_path)
    _, told, err = harness(*words, "--json")
    printed = json.loads(told)
    assert printed, err
    check(words[0], printed)


def test_the_rows_of_a_run_keep_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    command_run.present(compare(load(RECORDED)), as_json=True)
    check("run", json.loads(capsys.readouterr().out))


def test_what_takes_long_to_measure_keeps_its_schema() -> None:
    check("build", [command_run.as_built(variant) for variant in load(RECORDED).variants])
    check("doctor", [asdict(Diagnosis("note", "governor", "unknown"))])
    check("audit", audit_document(AuditResult("a", "b", "2026-01-01", "0.2.0", Terms(7), (), ())))
    cost = Cost("accuracy", 0.9, 0.8, -0.2, 0.0, 3)
    parts = Parity(2, (1,), 1, 0.5, float("nan"), (Difference("resize", "bilinear", "nearest"),), (0.1,))
    for costs in (cost, None):
        check("parity", command_parity.document(parts, [Path("a.png"), Path("b.png")], costs, ""))
    found = AaResult(
        date="2026-01-01", target="host", board=None, serial_sha256=None, variant="float32", model_sha256="0" * 64,
        runtime="ai-edge-litert", runtime_version="2.3.0", threads=1, rounds=10, min_s=0.05, seed=1, harness="0.2.0",
        comparisons=200, false_alarms=9, rate=0.045, low=0.0208, high=0.0837, half_width=0.0071,
        detection={"2": 0.86}, real_slowdown=0.05, confirmed=None, repeated=0, flagged=0,
    )  # fmt: skip
    check("aa", asdict(found))


def test_a_schema_refuses_what_is_not_printed() -> None:
    (row,) = [asdict(Diagnosis("note", "governor", "unknown"))]
    for wrong in ({**row, "more": 1}, {key: value for key, value in row.items() if key != "level"}):
        with pytest.raises(jsonschema.ValidationError):
            check("doctor", [wrong])


def test_it_is_printed_for_a_command_and_refused_for_another(harness: Call) -> None:
    assert json.loads(harness("schema", "gate")[1]) == schema_of("gate")
    code, _, err = harness("schema", "accept")
    assert code == 2 and "accept prints no JSON" in err
