"""policy.toml → Policy: what a model must keep to be shipped, as rules in order. How they are judged: gate/.

units.py          "5ms", "0.5pp", "120KB" → a number in the metric's own unit
policy_file.py    what a user may write, and where in the file something is wrong
rules.py          what flows: Policy, Rule, Limit
"""

from __future__ import annotations

from pathlib import Path

from harness.gate.policy.policy_file import parse_policy
from harness.gate.policy.rules import Limit, Policy, Rule, gauges
from harness.records import BY_DATA, Scoring
from harness.support.toml import read_text

__all__ = ["Limit", "Policy", "Rule", "default_policy", "gauges", "read_policy"]

DEFAULT = Path(__file__).with_name("default.toml")


def default_policy() -> Policy:
    """Returns the default: every quantised variant's accuracy drop is under 1 pp at 95 %."""
    return parse_policy(DEFAULT.read_text("utf-8"), "the default policy")


def read_policy(path: Path, scoring: Scoring = BY_DATA) -> Policy:
    """Reads a policy. scoring: the run's, whose own metrics a rule may name.
    Raises ConfigError with file, line and nearest word.
    """
    return parse_policy(read_text(path, "give a policy.toml, or none for the default"), str(path), scoring)
