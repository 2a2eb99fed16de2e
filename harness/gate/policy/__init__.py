"""policy.toml → Policy: what a model must keep to be shipped, as rules in order. How they are judged: gate/.

units.py          "5ms", "0.5pp", "120KB" → a number in the metric's own unit
policy_file.py    what a user may write, and where in the file something is wrong
rules.py          what flows: Policy, Rule, Limit
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import ConfigError
from harness.gate.policy.policy_file import parse_policy
from harness.gate.policy.rules import Limit, Policy, Rule, gauges
from harness.metrics.task_table import WITH_FLIPS, DefaultRule, kind_of
from harness.records import BY_DATA, Scoring
from harness.records.terms import Task
from harness.support.toml import read_text

__all__ = ["Limit", "Policy", "Rule", "default_policy", "gauges", "read_policy", "upgrade_policy"]

NO_DEFAULT = "write a limit on it into a file: harness gate RUN --policy FILE"
CLASSES: tuple[Task, ...] = ("classification",)

OTHER_ANSWERS = '[[rule]]\nmetric = "flip_rate"\nmax = "1%"\nagainst = "reference"\n'
SLOWER = '[[rule]]\nmetric = "latency_p50"\nmax_increase = "10%"\nagainst = "reference"\ntarget = "{}"\n'


def default_policy(tasks: Iterable[Task] = CLASSES) -> Policy:
    """Returns the default: what TASK_TABLE asks of every quantised variant, a rule for each of the tasks.

    tasks: those of a run's labelled outputs. Raises ConfigError where none of them has such a rule.
    """
    rules = dict.fromkeys(rule for task in tasks if (rule := kind_of(task).default))
    if not rules:
        raise ConfigError("there is no default policy for metrics of your own alone", NO_DEFAULT)
    return parse_policy("".join(map(written, rules)), "the default policy")


def written(rule: DefaultRule) -> str:
    against = "" if rule.kind in ("max", "min") else 'against = "keras"\n'
    return f'[[rule]]\nmetric = "{rule.metric}"\n{rule.kind} = "{rule.limit}"\nvariant = "!float32"\n{against}'


def upgrade_policy(tasks: Iterable[Task], timed: Iterable[str]) -> Policy:
    """Returns the default for another engine: what the default policy asks, but of every variant and against the
    present engine; how many answers are others; and the time on these devices.

    Raises ConfigError where none of the tasks has a default rule.
    """
    every = tuple(tasks)
    default_policy(every)
    own = (rule for task in every if (rule := kind_of(task).default))
    rules = dict.fromkeys(as_moved(rule) for rule in own if rule.metric != "agreement")
    flips = OTHER_ANSWERS if set(every) & set(WITH_FLIPS) else ""
    slower = (SLOWER.format(target) for target in timed)
    return parse_policy("".join((*rules, flips, *slower)), "the default policy of an upgrade")


def as_moved(rule: DefaultRule) -> str:
    """What the rule asks against Keras, asked against a reference."""
    kind, limit = ("max_decrease", "1dB") if rule.metric == "sqnr" else (rule.kind, rule.limit)
    return f'[[rule]]\nmetric = "{rule.metric}"\n{kind} = "{limit}"\nagainst = "reference"\n'


def read_policy(path: Path, scoring: Scoring = BY_DATA) -> Policy:
    """Reads a policy. scoring: the run's, whose own metrics a rule may name.
    Raises ConfigError with file, line and nearest word.
    """
    return parse_policy(read_text(path, "give a policy.toml, or none for the default"), str(path), scoring)
