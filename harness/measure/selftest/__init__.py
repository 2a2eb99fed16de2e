"""The same model as A and as B: how often the harness itself raises a false alarm, and what it finds.

    results/aa/<target>/<study-id>/study.json    what was asked, and the round medians of every comparison so far
    results/aa/<target>/<study-id>/model.tflite  what was measured, as A and as B
    results/aa/<target>/<study-id>/raw/<n>.zip   the rounds of comparison n as they came, about .25 MB
    results/aa/<target>/aa.json                  AaResult of the newest study that came to its end

A study of N comparisons has N·R paired rounds and R more, in which every invoke of B is really slowed. Comparison n
holds the rounds n·R … (n+1)·R − 1, so no two share one.
"""

from harness.measure.selftest.aa_result import AaResult, Asked, Pairs, Study, conclude, latest_for, of_run
from harness.measure.selftest.aa_study import Record, begin, go_on, reopen
from harness.measure.selftest.twins import Ratio

__all__ = [
    "AaResult", "Asked", "Pairs", "Ratio", "Record", "Study", "begin", "conclude", "go_on", "latest_for", "of_run",
    "reopen",
]  # fmt: skip
