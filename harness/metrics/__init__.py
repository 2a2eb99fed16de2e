"""What is measured of a case, each metric once: name, unit, which way is better, against what, how.

A metric is a function from an Observation to an Estimate; compare.py calls them all, and report and gate read the rows.
To add one, write its function in the module it belongs to.
"""

from harness.metrics import latency, outputs, process
from harness.metrics.process import anonymous_growth
from harness.metrics.registry import METRICS, Estimate, Metric, Observation

__all__ = ["METRICS", "Estimate", "Metric", "Observation", "anonymous_growth", "latency", "outputs", "process"]
