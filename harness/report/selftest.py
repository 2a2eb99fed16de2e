"""What `harness aa` found of the harness itself on the machines of a run: how often it cries wolf, what it finds."""

from __future__ import annotations

from harness.report.material import Material, SelfTest
from harness.report.units import decimals, listed, significant, whole


def self_tests(material: Material) -> list[str]:
    """One sentence or two for each machine that was tried; that none was is said too, where latency was measured."""
    if not material.aa and material.comparison.run.rounds:
        return ["How often this harness cries wolf on this machine is unknown; harness aa measures it."]
    return [_sentence(material, one) for one in material.aa]


def _sentence(material: Material, one: SelfTest) -> str:
    wolf = (
        f"{_machine(material, one)} this harness cries wolf in {whole(one.false_alarms)} of {whole(one.comparisons)} "
        f"comparisons of the same model with itself (95 % interval {_percent(one.low)} to {_percent(one.high)} %)"
    )
    width = f"; the median half-width of a ratio's interval is {significant(100 * one.half_width, 2)} %"
    found = [f"{name} % in {_percent(share)} %" for name, share in one.detection.items()]
    return f"{wolf}{width}.{f' It finds slow-downs of {listed(found)} of the comparisons.' if found else ''}"


def _percent(share: float) -> str:
    return decimals(100 * share, 1)


def _machine(material: Material, one: SelfTest) -> str:
    """The targets of this run that are that machine, by its serial number."""
    targets = material.comparison.run.targets
    same = [t.target.name for t in targets if t.environment and t.environment.serial_sha256 == one.serial_sha256]
    return f"On {listed(same)}" if same and one.serial_sha256 and len(targets) > 1 else "On this machine"
