"""What `harness aa` found about the harness itself on the machines of a run: false alarms, and what it detects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.material import Material
from harness.support.format import decimals, listed, significant, whole

if TYPE_CHECKING:
    from harness.measure.selftest.aa_result import AaResult


def self_tests(material: Material) -> list[str]:
    """Say what was found on each machine, and where latency was measured on none that was tested."""
    if not material.aa and material.comparison.run.rounds:
        return ["The false-alarm rate of this harness on this machine is unknown; harness aa measures it."]
    return [sentence_of(material, one) for one in material.aa]


def sentence_of(material: Material, one: AaResult) -> str:
    alarms = (
        f"{machine_of(material, one)} this harness raises a false alarm in {whole(one.false_alarms)} of "
        f"{whole(one.comparisons)} comparisons of a model with itself{aimed(one)} "
        f"(95 % interval {percent_text(one.low)} to {percent_text(one.high)} %)"
    )
    width = f"; the median half-width of a ratio's interval is {significant(100 * one.half_width, 2)} %"
    shares = [f"{name} % in {percent_text(share)} %" for name, share in one.detection.items()]
    return f"{alarms}{width}.{f' It finds a slow-down of {listed(shares)} of the comparisons.' if shares else ''}"


def aimed(one: AaResult) -> str:
    """Say what precision each comparison was timed for; "" where they had as many rounds."""
    return f", each timed until ± {significant(100 * one.precision, 2)} % is known," if one.precision else ""


def percent_text(share: float) -> str:
    return decimals(100 * share, 1)


def machine_of(material: Material, one: AaResult) -> str:
    """Name the targets of this run that are that machine, by its serial number."""
    targets = material.comparison.run.targets
    same = [t.target.name for t in targets if t.environment and t.environment.serial_sha256 == one.serial_sha256]
    return f"On {listed(same)}" if same and one.serial_sha256 and len(targets) > 1 else "On this machine"
