"""What rows, places, classes and the baseline are called, and how such text stays text in Markdown and in figures."""

from __future__ import annotations

import re

from harness.records import Case, Run
from harness.report.format import plural

NO_ANSWER = -1  # as samples.top1 has it, where a score is not finite


def row_name(case: Case | None) -> str:
    """For sentences: int8 on host with ai-edge-litert; the threads where there is more than one."""
    if case is None:
        return "no row"
    threads = "" if case.threads == 1 else f", {case.threads} threads"
    return f"{case.variant} on {case.target} with {case.runtime}{threads}"


def row_label(case: Case, target: bool = False, threads: bool = False) -> str:
    """For axes and lists: int8 · ai-edge-litert; target and threads only on request."""
    return f"{case.variant} · {place_label(case.runtime, case.target * target, case.threads * threads)}"


def place_label(runtime: str, target: str = "", threads: int = 0) -> str:
    """ai-edge-litert · host · 4 threads, without what is empty or 0."""
    return " · ".join(filter(None, (runtime, target, plural(threads, "thread") * bool(threads))))


def baseline_name(run: Run) -> str:
    """ "keras", or the .tflite file that takes its place."""
    return run.provenance.baseline


def class_name(run: Run, label: int) -> str:
    """A label without a name is its number; of scores that are not finite there is no answer."""
    if label == NO_ANSWER:
        return "no answer"
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)


def in_markdown(text: str) -> str:
    """Escapes what Markdown, HTML inside it or GitHub (@names) would read as markup; on one line."""
    return re.sub(r"([\\`*_\[\]<>|#@~$&])", r"\\\1", " ".join(text.split()))


def in_figure(text: str) -> str:
    """Escapes the dollars between which matplotlib would read mathematics."""
    return text.replace("$", r"\$")
