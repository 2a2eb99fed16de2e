"""A run as JSON for MLflow: params, tags, metrics and artifacts, as its client's log_batch and log_artifact take them.

MLflow itself is not needed to write it; docs/export.md has the lines that log it.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from harness.records import Absent, Case
from harness.report.material import Material
from harness.report.out.exported import Exported, exported
from harness.report.out.exported import left_out as left_out

NOT_IN_KEYS = re.compile(r"[^\w\-./ ]", re.ASCII)  # MLflow takes nothing else in the name of a metric
ARTIFACTS = ("report.html", "verdict.json", "summary.csv", "metrics.csv", "run.json")


def render(material: Material) -> str:
    """Return the file. A metric is called variant/target-runtime-tN/metric_unit; its limits end with _low and _high."""
    run = material.comparison.run
    created = run.provenance.created
    stamp = int(1000 * datetime.fromisoformat(created).timestamp()) if created else 0
    metrics = [
        {"key": key_of(each, end), "value": value, "timestamp": stamp, "step": 0}
        for each in exported(material)
        for end, value in each.figures.items()
    ]
    hashes = {f"{name}_sha256": value for name, value in run.hashes.items()}
    params = {"plan": run.plan.profile, "rounds": str(run.plan.rounds), **hashes}
    content = {
        "experiment": run.experiment,
        "run_name": run.run_id,
        "params": [{"key": key, "value": value} for key, value in params.items()],
        "tags": [{"key": key, "value": value} for key, value in tags(material).items()],
        "metrics": metrics,
        "artifacts": [str(run.path / name) for name in ARTIFACTS if (run.path / name).exists()],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def key_of(each: Exported, end: str) -> str:
    change = each.change
    unit = "" if not change.unit or change.metric.endswith(change.unit) else f"_{change.unit.replace('%', 'percent')}"
    of = f"{each.output}/" if each.output else ""
    return NOT_IN_KEYS.sub("_", f"{place_of(change.case)}/{of}{change.metric}{unit}{f'_{end}' if end else ''}")


def place_of(case: Case) -> str:
    return f"{case.variant}/{case.target}-{case.runtime}-t{case.threads}"


def tags(material: Material) -> dict[str, str]:
    run = material.comparison.run
    verdict = "" if isinstance(material.verdict, Absent) else material.verdict.outcome
    status = {f"status.{place_of(row.case).replace('/', '.')}": row.standing.status for row in material.rows}
    told = {"edge_harness.version": run.provenance.harness, "edge_harness.verdict": verdict}
    return {key: value for key, value in (told | status).items() if value}
