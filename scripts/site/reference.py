"""Pages that are made from the code: commands, metrics, keys of files, columns of tables, JSON Schemas, Python."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import typer
from pydantic import BaseModel

import harness
from harness.cli import app
from harness.cli.schemas import SCHEMAS, schema_of
from harness.compare.rows import summary_columns
from harness.experiment.experiment_file import ExperimentText
from harness.gate.policy.policy_file import PolicyText
from harness.measure.targets import TargetFile
from harness.metrics.registry import Metric, in_order
from harness.records.terms import TASKS
from harness.report.out.csv_tables import LONG
from harness.runs.parquet import LATENCY_SCHEMA, OF_SOME_TASKS, SAMPLES

MADE = "This page is made from the code of this version."
ABOUT = {
    "answers": "What a model answers",
    "file": "The file",
    "latency": "How long it takes",
    "process": "The process",
}


def pages() -> Iterator[tuple[str, str]]:
    """Yields the path in the site and the text of each page."""
    for name, made in (
        ("commands", commands),
        ("metrics", metrics),
        ("keys", keys),
        ("columns", columns),
        ("schemas", schemas),
        ("python", python),
    ):
        yield f"reference/{name}.md", "\n".join(made()) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield ""
    yield from (f"| {' | '.join(map(cell, row))} |" for row in (head, ["---"] * len(head), *rows))
    yield ""


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    return f"`{text}`" if str(text) else ""


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    yield f"# Commands\n\n{MADE} [interface.md](../interface.md) says what they promise: exit codes, files, JSON."
    found: dict[str, Any] = cast(Any, typer.main.get_command(app)).commands
    for name, command in found.items():
        options = [parameter(of) for of in command.params if not getattr(of, "hidden", False)]
        yield f"\n## harness {name}\n\n{command.help or ''}"
        yield from table(("", "what", "default"), options)


def parameter(of: Any) -> tuple[str, str, str]:
    """Returns what one types, what it means, and its default."""
    typed = of.metavar if of.param_type_name == "argument" else ", ".join(sorted(of.opts, key=len))
    default = "" if of.default in (None, False, (), []) or callable(of.default) else str(of.default)
    return code(typed), of.help or "", code(default)


# --- metrics ---------------------------------------------------------------------------------------------------------


def metrics() -> Iterator[str]:
    yield f"# Metrics\n\n{MADE} [measurement.md](../measurement.md) says how each is computed, [gate.md](../gate.md)"
    yield "how a rule on it is decided. Where “better” is empty, no rule can be on it. A metric of a step"
    yield "or of K answers, such as `rmse_step3` or `top5_accuracy`, is made when it is named."
    for about, title in ABOUT.items():
        yield f"\n## {title}\n"
        found = [metric for metric in in_order() if metric.about == about]
        yield from table(("name", "what", "unit", "better", "against", "of"), map(metric_row, found))


def metric_row(metric: Metric) -> tuple[str, ...]:
    tasks = "every task" if len(metric.tasks) == len(TASKS) else ", ".join(metric.tasks)
    return code(metric.name), metric.title or metric.method, metric.unit, metric.better, metric.against, tasks


# --- keys of files ---------------------------------------------------------------------------------------------------


def keys() -> Iterator[str]:
    yield f"# Keys of files\n\n{MADE} An unknown key is an error that names the line and the nearest right word."
    yield "[experiment.md](../experiment.md) and [gate.md](../gate.md) say what each means.\n"
    for name, model in (
        ("experiment.toml", ExperimentText),
        ("policy.toml", PolicyText),
        ("targets/NAME.toml", TargetFile),
    ):
        yield f"## {name}\n"
        yield from tables_of("", model)


def tables_of(name: str, model: type[BaseModel]) -> Iterator[str]:
    """Yields a table of the model's own keys, then those of each table in it."""
    inner = {key: found for key, field in model.model_fields.items() if (found := model_in(field.annotation))}
    if name:
        yield f"### {name}\n"
    own = {field.alias or key: field for key, field in model.model_fields.items() if key not in inner}
    if own:
        rows = (
            (code(key), code(type_of(field.annotation)), "needed" if field.is_required() else code(told(field.default)))
            for key, field in own.items()
        )
        yield from table(("key", "value", "default"), rows)
    for key, (further, form) in inner.items():
        yield from tables_of(form.format(key), further)


def model_in(kind: object) -> tuple[type[BaseModel], str] | None:
    """Returns the table that a key holds and how it is written in TOML; None where it holds a value."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, "[{}]"
    form = {list: "[[{}]]", dict: "[{}.NAME]"}.get(typing.get_origin(kind), "[{}]")  # type: ignore[arg-type]
    found = [part[0] for each in typing.get_args(kind) if (part := model_in(each))]
    return (found[0], form) if found else None


def type_of(kind: object) -> str:
    """Returns the type in the words of TOML."""
    if kind is type(None):
        return ""
    names: Mapping[object, str] = {str: "text", float: "number", int: "whole number", bool: "true or false"}
    if kind in names:
        return names[kind]
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__value__"):
        return type_of(kind.__value__)
    if hasattr(kind, "__metadata__"):
        return type_of(inside[0])
    if origin is typing.Literal:
        return " or ".join(f'"{word}"' for word in inside)
    if origin in (list, tuple):
        return f"list: {type_of(inside[0])}"
    if origin is dict:
        return f"{{ name = {type_of(inside[1])} }}"
    return " or ".join(part for each in inside if (part := type_of(each)))


def told(default: object) -> str:
    return "" if default is None else json.dumps(default)


# --- columns of tables -----------------------------------------------------------------------------------------------


def columns() -> Iterator[str]:
    yield f"# Columns of tables\n\n{MADE} [interface.md](../interface.md) says what is empty where."
    yield "\n## latency.parquet\n"
    yield from table(("column", "type"), ((code(field.name), type_name(field.type)) for field in LATENCY_SCHEMA))
    yield "## samples.parquet\n\nThe last ones are only in runs of some tasks."
    yield from table(
        ("column", "type"), ((code(name), type_name(of)) for name, of in {**SAMPLES, **OF_SOME_TASKS}.items())
    )
    for name, found in (("metrics.csv", LONG), ("summary.csv", summary_columns())):
        yield f"## {name}\n\n{', '.join(map(code, found))}\n"


def type_name(of: object) -> str:
    return "text" if "string" in str(of) else str(of)


# --- JSON and Python -------------------------------------------------------------------------------------------------


def schemas() -> Iterator[str]:
    yield f"# JSON Schemas\n\n{MADE} `harness schema COMMAND` prints each of them.\n"
    for command in SCHEMAS:
        schema = json.dumps(schema_of(command), indent=1, ensure_ascii=False)
        yield f"## harness {command} --json\n\n```json\n{schema}\n```\n"


def python() -> Iterator[str]:
    yield f"# `import harness`\n\n{MADE} [api.md](../api.md) tells the same in words, with shapes and units.\n"
    for name in harness.__all__:
        if not name.startswith("_"):
            value = getattr(harness, name)
            yield f"::: {value.__module__}.{value.__qualname__}\n    options:\n      heading: harness.{name}\n"
