"""The JSON Schema of what each command prints with --json, made from the types that it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": ["number", "null"]}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
COUNT_OR_NONE: Schema = {"type": ["integer", "null"]}
SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}


def schema_of(command: str) -> Schema:
    """Returns the schema of the command's JSON. Raises ConfigError where it prints none."""
    from harness.errors import ConfigError
    from harness.support.format import nearest

    if command not in SCHEMAS:
        raise ConfigError(f"{command} prints no JSON", nearest(command, SCHEMAS, "these commands do:"))
    return {"$schema": DRAFT, "title": f"harness {command} --json", **SCHEMAS[command]()}


def texts() -> Schema:
    return {"type": "array", "items": TEXT}


def exactly(properties: Schema, definitions: Schema | None = None) -> Schema:
    """An object that has all these properties and no other."""
    made = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return made | ({"$defs": definitions} if definitions else {})


def fields(kind: type, further: Schema | None = None, without: tuple[str, ...] = ()) -> Schema:
    """An object with the fields of a dataclass, and further properties. A number that is not known is null."""
    from pydantic import TypeAdapter

    made = nullable(TypeAdapter(kind).json_schema(mode="serialization"))
    own = {name: of for name, of in made.get("properties", {}).items() if name not in without}
    return exactly(own | (further or {}), made.get("$defs"))


def nullable(schema: Any) -> Any:
    """The schema with null beside each number, and without what is not printed: titles and defaults."""
    if isinstance(schema, list):
        return [nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number":
        return dict(NUMBER)
    told = {key: nullable(part) for key, part in schema.items() if key != "default"}
    return {key: part for key, part in told.items() if key != "title" or isinstance(part, dict)}


def several(items: Schema) -> Schema:
    """An array of such objects; what they refer to stands at the top, where references look for it."""
    definitions = items.pop("$defs", None)
    return {"type": "array", "items": items} | ({"$defs": definitions} if definitions else {})


# --- each command ----------------------------------------------------------------------------------------------------


def of_run() -> Schema:
    from harness.compare.rows import summary_columns

    return several(exactly(dict.fromkeys(summary_columns(), SCALAR)))


def of_build() -> Schema:
    own = {"name": TEXT, "status": TEXT, "reason": TEXT, "path": TEXT_OR_NONE}
    return several(exactly({**own, "size_bytes": COUNT_OR_NONE, "sha256": TEXT_OR_NONE}))


def of_list() -> Schema:
    from harness.records import Provenance

    about = {"run_id": TEXT, "experiment": TEXT, "plan": TEXT, "finished": FLAG, "sealed": FLAG, "targets": texts()}
    return several(fields(Provenance, about))


def of_show() -> Schema:
    """One sample, or several that were looked for. What is said of a sample depends on the task."""
    answers = {"type": "array", "items": {"type": "object", "required": ["variant", "case"]}}
    said = {"index": COUNT, "label": SCALAR, "answers": answers}
    own = {"run_id": TEXT, "picture": TEXT, **said}
    one = {"type": "object", "properties": own | {"heads": {"type": "object"}}, "required": [*own]}
    case = {"variant": TEXT, "target": TEXT, "runtime": TEXT, "outcome": TEXT}
    far = {"apart": NUMBER, "apart_unit": TEXT, "flipped": COUNT_OR_NONE, "of_rows": COUNT}
    found = {"run_id": TEXT, "output": TEXT, "total": COUNT, "samples": several(exactly(case | far | said))}
    return {"anyOf": [one, exactly(found)]}


def of_compare() -> Schema:
    from harness.records import Change

    case = {"variant": TEXT, "target": TEXT, "runtime": TEXT, "threads": COUNT}
    further = {"reference": NUMBER, "candidate": NUMBER, "own_unit": TEXT, "output": TEXT, "warnings": texts()}
    further |= {"next_low": NUMBER, "next_high": NUMBER, "next_why": TEXT}
    made = fields(Change, case | further, without=("case",))
    made.pop("$defs", None)  # of the case alone
    return several(made)


def of_trend() -> Schema:
    names = ("variant", "target", "runtime", "metric", "output", "unit", "run_id", "created", "reason")
    numbers = {"threads": COUNT, "value": NUMBER, "low": NUMBER, "high": NUMBER, "level": COUNT_OR_NONE}
    return several(exactly(dict.fromkeys(names, TEXT) | numbers))


def of_gate() -> Schema:
    from harness.records import Verdict

    return fields(Verdict, {"schema_version": COUNT, "harness": TEXT})


def of_upgrade() -> Schema:
    from harness.records import Verdict

    return fields(Verdict, {"schema_version": COUNT, "harness": TEXT, "from": TEXT, "to": TEXT})


def of_power() -> Schema:
    from harness.gate.foresight import Foresight

    return several(fields(Foresight, {"samples": COUNT}))


def of_targets() -> Schema:
    from harness.records import Target

    return several(fields(Target))


def of_doctor() -> Schema:
    from harness.measure.provision.doctor import Diagnosis

    return several(fields(Diagnosis))


def of_aa() -> Schema:
    from harness.measure.selftest.aa_result import AaResult

    return fields(AaResult)


def of_audit() -> Schema:
    from harness.measure.selftest.audit_result import AuditResult

    return fields(AuditResult, {"good": FLAG})


def of_parity() -> Schema:
    from harness.build.preparation_cost import Cost
    from harness.data.preprocessing.parity import Parity

    cost = {"anyOf": [fields(Cost), {"type": "null"}]}
    return fields(Parity, {"agrees": FLAG, "apart": texts(), "cost": cost, "cost_unknown": TEXT})


def of_explain() -> Schema:
    from harness.diagnosis.explanation import Explanation

    return fields(Explanation)


def of_cure() -> Schema:
    """What a cure found, or with --luck what the draws came to."""
    from harness.treatment.cured import Cure
    from harness.treatment.luck import Luck

    found = fields(Cure, {"ending": TEXT, "recipe": TEXT})
    told = fields(Luck, {"other": COUNT, "other_at_most": NUMBER, "drops_pp": {"type": "array", "items": NUMBER}})
    definitions = found.pop("$defs") | told.pop("$defs")
    return {"anyOf": [found, told], "$defs": definitions}


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "run": of_run,
    "build": of_build,
    "list": of_list,
    "show": of_show,
    "compare": of_compare,
    "trend": of_trend,
    "gate": of_gate,
    "upgrade": of_upgrade,
    "power": of_power,
    "targets": of_targets,
    "doctor": of_doctor,
    "aa": of_aa,
    "audit": of_audit,
    "parity": of_parity,
    "explain": of_explain,
    "cure": of_cure,
}
