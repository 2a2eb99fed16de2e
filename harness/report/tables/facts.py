"""What was run on what: pairs of a name and a text, "unknown" where a device did not say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.records import Comparison, Environment, TargetRecord
from harness.report.material import Material
from harness.report.part import Block, Part
from harness.runs.spent import PARTS, Spent
from harness.statistics.clustered import group_words
from harness.support.format import GIGABYTES, MEGABYTES, listed, plural, significant, whole

UNKNOWN = "unknown"
UNTIL_DECIDED = "; each row asked only until its rules on answers were decided, in a shuffled order"
TOOLS = ("harness", "tensorflow", "keras", "python")  # whose versions made the variants and the baseline


@dataclass(frozen=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True)
class Device:
    """A target and what it is."""

    name: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Facts(Block):
    """What is known of the run and of each of its targets."""

    kind = "facts"
    run: tuple[Fact, ...]
    devices: tuple[Device, ...]


def facts(material: Material) -> Part:
    return Part("", (Facts(run_facts(material), devices(material.comparison)),))


def run_facts(material: Material) -> tuple[Fact, ...]:
    run, plan = material.comparison.run, material.comparison.run.plan
    distinct = run.provenance.distinct or 0
    labels = len(np.unique(run.labels)) if run.task == "classification" and run.labels is not None else 0
    samples = f"{whole(run.test_count)} test samples" + (f", {labels} classes" if labels else "")
    samples += ", without labels" if run.labels is None else ""
    samples += f", labels of {listed(run.labelled_outputs)}" if run.heads else ""
    samples += "" if run.groups is None else f", in {group_words(run.groups)}"
    samples += f", {whole(distinct)} of them different" if run.provenance.repeats(run.test_count) else ""
    timing = (
        f"{plan.profile}: {plural(plan.rounds, 'round')} of at least {plural(plan.min_runs, 'invoke')} and "
        f"{significant(plan.min_s, 2)} s"
    )
    if plan.precision:
        timing += f", then as many as ± {significant(100 * plan.precision, 3)} % takes, {plan.max_rounds} at most"
    return (
        Fact("Experiment", run.experiment),
        Fact("Run", run.run_id),
        Fact("Date", run.provenance.created or UNKNOWN),
        Fact("Data", samples),
        Fact("Scored by", scored_by(material)),
        Fact("Plan", (timing if plan.rounds else f"{plan.profile}: no latency") + UNTIL_DECIDED * plan.until_decided),
        Fact("Built with", joined(*(f"{t} {version}" for t in TOOLS if (version := getattr(run.provenance, t))))),
        Fact("Variants", ", ".join(v.name for v in run.variants)),
        *((Fact("Time", time_words(material.spent)),) if material.spent else ()),
    )


TIME_WORDS = {"warmup_s": "warm-up", "starting_s": "starting processes", "keeping_s": "keeping results"}


def time_words(spent: Spent) -> str:
    """Say what the seconds went to, the most first; a part under .1 s is not named."""
    parts = sorted(((getattr(spent, part), part) for part in PARTS), reverse=True)
    named = [f"{TIME_WORDS.get(part, part[:-2])} {seconds:.1f}" for seconds, part in parts if seconds >= 0.1]
    whole = f"{spent.total_s:.1f} s" + (f": {', '.join(named)}" if named else "")
    if not spent.timing_s:
        return whole
    return f"{whole}; {100 * spent.share_beside:.0f} % beside building went to no warm-up, timing or inference"


def scored_by(material: Material) -> str:
    """Name the first metric, and its output where the model has several."""
    run = material.comparison.run
    return material.primary.title + (f" of output {run.scored_output}" if len(run.outputs) > 1 else "")


def devices(comparison: Comparison) -> tuple[Device, ...]:
    return tuple(Device(t.target.name, device_facts(t)) for t in comparison.run.targets)


def device_facts(record: TargetRecord) -> tuple[Fact, ...]:
    env = record.environment or Environment()
    runtimes = ", ".join(f"{name} {version}" for name, version in env.runtimes.items() if version)
    sent = sum(record.bytes_sent.values())
    usual = (
        Fact("Board", env.board or UNKNOWN),
        Fact("CPU", joined(env.cpu, f"{env.cores} cores" if env.cores else None, env.machine)),
        Fact("Memory", GIGABYTES.with_unit(env.memory_bytes) if env.memory_bytes else UNKNOWN),
        Fact("System", joined(env.os, env.kernel)),
        Fact("Python", joined(env.python, f"numpy {env.numpy}" if env.numpy else None)),
        Fact("Runtimes", runtimes or UNKNOWN),
        Fact("Link", f"{record.target.kind}, {MEGABYTES.with_unit(sent)} sent" if sent else record.target.kind),
    )
    emulated = Fact("Emulated", "yes: its latency and memory support no claim")
    return (*usual, emulated) if record.emulated else usual


def joined(*parts: str | None) -> str:
    return ", ".join(p for p in parts if p) or UNKNOWN
