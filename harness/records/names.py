"""How rows and classes are named, the same in every format."""

from __future__ import annotations

from harness.records.plan import Case
from harness.records.run import Run
from harness.support.format import plural

NO_ANSWER = -1  # the prediction where a score is not finite, as discrepancy.top1 gives it


def row_name(case: Case | None) -> str:
    """Name a row in a sentence: int8 on host with ai-edge-litert; the threads where there is more than one."""
    if case is None:
        return "no row"
    threads = "" if case.threads == 1 else f", {case.threads} threads"
    return f"{case.variant} on {case.target} with {case.runtime}{threads}"


def row_label(case: Case, target: bool = False, threads: bool = False) -> str:
    """Name a row on an axis or in a list: int8 · ai-edge-litert; target and threads only on request."""
    return f"{case.variant} · {place_label(case.runtime, case.target * target, case.threads * threads)}"


def place_label(runtime: str, target: str = "", threads: int = 0) -> str:
    """Name a place: ai-edge-litert · host · 4 threads, without what is empty or 0."""
    return " · ".join(filter(None, (runtime, target, plural(threads, "thread") * bool(threads))))


def class_name(run: Run, label: int) -> str:
    """Name a class: by its number where it has no name, "no answer" where a score is not finite."""
    if label == NO_ANSWER:
        return "no answer"
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
