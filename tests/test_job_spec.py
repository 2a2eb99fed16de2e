"""What a job is told: every key that device/job.py reads, and none that it does not."""

from __future__ import annotations

import inspect
import re

import numpy as np

from harness.device import job
from harness.measure.job_spec import latency_spec, outputs_spec, with_state
from harness.records import Affine, Plan

FILES = ["inputs/0-0.npy", "inputs/1-0.npy"]
AFFINES = [Affine(0.5, -1.0), Affine()]


def test_a_job_that_keeps_outputs() -> None:
    assert outputs_spec("ai-edge-litert", FILES, AFFINES) == {
        "kind": "outputs",
        "runtime": "ai-edge-litert",
        "threads": 1,
        "inputs": ["inputs/0-0.npy", "inputs/1-0.npy"],
        "affines": [{"scale": 0.5, "offset": -1.0}, {"scale": 1.0, "offset": 0.0}],
        "reset": "none",
    }


def test_a_job_that_times_follows_the_plan() -> None:
    plan = Plan("mine", rounds=3, min_runs=40, min_s=0.5, warmup_s=0.1, warmup_runs=7, max_runs=90)
    spec = latency_spec("tflite-runtime", FILES, AFFINES, 4, plan)
    assert (spec["kind"], spec["threads"]) == ("latency", 4)
    timed = {"warmup_s": 0.1, "warmup_runs": 7, "min_s": 0.5, "min_runs": 40, "max_runs": 90}
    assert {name: spec[name] for name in timed} == timed


def test_the_device_reads_all_of_it_and_no_more() -> None:
    read = set(re.findall(r'job(?:\[|\.get\()"(\w+)"', inspect.getsource(job)))
    spec = latency_spec("ai-edge-litert", FILES, AFFINES, 1, Plan("mine", 1, 1, 0.0))
    of_tests = {"slowdown", "answers", "warmup_samples"}  # of harness aa, and of harness audit
    assert read - of_tests - {"passes", "counts", "starts", "carried", "keep"} == set(spec)


def test_what_is_carried_goes_with_where_clips_begin() -> None:
    assert with_state({}, [(1, 0)], np.array([0, 4])) == {"carried": [[1, 0]], "starts": [0, 4]}
    assert with_state({"kind": "latency"}, [], np.array([0])) == {"kind": "latency"}
    assert with_state({"kind": "latency"}, [(1, 0)], None) == {"kind": "latency"}
