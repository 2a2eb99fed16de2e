"""How long the host waits for a device, and for what: whatever a device says, no wait lasts longer.
docs/reliability.md tells the figures."""

from __future__ import annotations

from harness.records import Job

# Seconds.
READY_S = 120.0  # from the start of the server to its first word
ANSWER_S = 120.0  # for what takes a device no measuring: to look at itself, to hash what it keeps
INVOKE_S = 30.0  # of a sample or a timed invoke, on average over a job

LEAST_BYTES_S = 32 << 10  # of a transfer, on average


def transfer_s(size: int) -> float:
    return ANSWER_S + size / LEAST_BYTES_S


def cooling_s(job: Job) -> float:
    """From the job's message to the beginning of its process."""
    return ANSWER_S + (job.cooldown_timeout_s if job.start_temperature_c is not None else 0.0)


def without_progress_s(job: Job) -> float:
    """The device itself ends a job after limit_s."""
    return job.limit_s + ANSWER_S


def longest_s(job: Job) -> float:
    """From the beginning of the job's process to its end."""
    seconds, invokes = 0.0, job.last - job.first
    if job.kind == "audit":
        invokes *= 2
    if job.kind == "latency":
        seconds = number(job, "warmup_s") + number(job, "min_s")
        invokes = int(number(job, "warmup_runs") + number(job, "min_runs"))
    return without_progress_s(job) + seconds + INVOKE_S * invokes


def number(job: Job, name: str) -> float:
    value = job.spec.get(name, 0)
    return float(value) if isinstance(value, int | float) else 0.0
