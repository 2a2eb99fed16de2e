"""Limits and tests as pure functions of numbers, each formula with its source. Nothing here knows a metric or a run."""
