"""A rule on a model with several outputs is judged for each of them, and the worst answer stands.

That is as if the rule were written once an output: it passes only where every output passes. Metrics that need labels
are of the outputs that have some, and of these a user's own of those that were asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from harness.gate.evidence import Evidence
from harness.gate.policy import Rule
from harness.gate.ship import WORST_FIRST
from harness.metrics import Metric
from harness.records import Absent, Answer, Run
from harness.support.format import listed, plural


def each_output(rule: Rule, evidence: Evidence) -> dict[str, Evidence]:
    """Returns what the rule is judged by: evidence by the name of the output, "" for a metric that is of none.

    Raises Absent where it names no output, or none that has its metric.
    """
    run, metric = evidence.comparison.run, evidence.metric(rule)
    if metric.about != "answers":
        return {"": evidence}
    named = rule.outputs_of(run.outputs)
    if not named:
        raise Absent(f'the model has no output "{rule.output}"; it has {listed(run.outputs)}')
    own = having(metric, run)
    if metric.of_any_output:  # but of what a decoder reads beside its own: its rows may be others
        own = [name for name in run.outputs if name in evidence.comparison.by_output]
    chosen = [name for name in own if name in named]
    if not chosen and run.heads:
        raise Absent(f"{rule.metric} is of {listed(own)} alone: leave out output, or name one of these")
    if not chosen:
        raise Absent(f"{rule.metric} is of the scored output alone: leave out output, or name {run.scored_output}")
    return fitting({name: evidence.of_output(name) for name in chosen}, metric)


def having(metric: Metric, run: Run) -> list[str]:
    """Returns the outputs that a metric of labels may be of, the scored one first: those with labels, or that were
    asked for it where it is a user's own.
    """
    if metric.raw:
        own = {run.scored_output: run.scoring} | {name: head.scoring for name, head in run.heads.items()}
        return [name for name, scoring in own.items() if metric.name in (d.name for d in scoring.declared)]
    return [run.scored_output, *run.heads]


def judged_outputs(rule: Rule, evidence: Evidence) -> tuple[str, ...]:
    """Returns the outputs whose answers the rule judges; () where it judges none."""
    try:
        return tuple(name for name in each_output(rule, evidence) if name)
    except Absent:
        return ()


def fitting(found: dict[str, Evidence], metric: Metric) -> dict[str, Evidence]:
    """Returns those whose task has the metric. Raises Absent where none has."""
    fit = {name: e for name, e in found.items() if e.comparison.run.task in metric.tasks}
    if fit:
        return fit
    tasks = {name: e.comparison.run.task for name, e in found.items()}
    each = listed(f"that of output {name} is {task}" for name, task in tasks.items())
    several = any(len(e.comparison.run.outputs) > 1 for e in found.values())
    theirs = each if several else f"this run's task is {next(iter(tasks.values()))}"
    raise Absent(f"{metric.name} is of {' and '.join(metric.tasks)}, and {theirs}: give the policy other rules")


def worst_answer(rule: Rule, answers: Mapping[str, Answer], evidence: Evidence) -> Answer:
    """Returns the answer of the output that is worst off; where the model has several, with its name."""
    run = evidence.comparison.run
    first = sorted(answers, key=lambda output: output != run.scored_output)  # of equal ones
    name = max(first, key=lambda output: badness(rule, answers[output]))
    if not name or len(run.outputs) == 1:
        return answers[name]
    worst = answers[name]
    reason = "; ".join(filter(None, (why_this(name, rule, answers, evidence.metric(rule), run), worst.reason)))
    each = {output: answer.outcome for output, answer in answers.items()}
    of_all = max((a.p for a in answers.values() if a.p is not None), default=None)  # intersection–union: all keep it
    return replace(worst, output=name, reason=reason, p=of_all if worst.outcome == "pass" else worst.p, each=each)


def badness(rule: Rule, answer: Answer) -> tuple[int, float]:
    """Orders answers: by outcome, then by the end of the interval that decides, or by the value where there is none. A
    pass without a value, of an output without noise, is the best there is.
    """
    severity = 0 if answer.outcome == "pass" else len(WORST_FIRST) - WORST_FIRST.index(answer.outcome)
    least = rule.limit.kind == "min"
    end = next((x for x in (answer.low if least else answer.high, answer.value) if x is not None), None)
    return severity, -inf if end is None else -end if least else end


def why_this(name: str, rule: Rule, answers: Mapping[str, Answer], metric: Metric, run: Run) -> str:
    """Says that the output is the worst, and which others do not pass; "" where no other was asked for."""
    if len(answers) > 1 and len(set(answers.values())) == 1:
        return f"the same for {plural(len(answers), 'output')}: {listed(answers)}"
    if len(answers) > 1:
        others = [output for output, answer in answers.items() if output != name and answer.outcome != "pass"]
        more = f", nor does {listed(others)} pass" if others else ""
        return f"worst of {plural(len(answers), 'output')}: {name}{more}"
    only = rule.output == "*" and (metric.of_any_output or bool(run.heads))
    return f"output {name}, the only one with this metric" if only else ""
