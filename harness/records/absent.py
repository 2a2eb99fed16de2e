"""A value that could not be had."""

from __future__ import annotations

from harness.records.terms import Outcome


class Absent(Exception):
    """Says why there is no value. Whoever wants the value lets it pass or shows `reason`; nobody puts 0 there.

    outcome: what a gate makes of it: missing, or not_comparable or invalid where a value exists that says nothing here.
    """

    def __init__(self, reason: str, outcome: Outcome = "missing") -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome

    def __bool__(self) -> bool:
        """What is absent is never taken for a yes."""
        return False
