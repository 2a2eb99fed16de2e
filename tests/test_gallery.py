"""The samples that moved most: which are shown, of which rows, and where on the page."""

from __future__ import annotations

import re
from pathlib import Path

from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.run_gate import policy_of
from harness.report import render
from harness.report.material import Material
from harness.runs.loading import load

ROOT = Path(__file__).parents[1]
CARD = r'<li id="(sample-[^"]+)"[^>]*>\s*(?:<img[^>]+>\s*)?<a href="#([^"]+)"'


def test_the_plain_address_of_a_sample_is_the_scored_outputs_and_each_card_links_to_itself() -> None:
    comparison = compare(load(ROOT / "tests" / "recorded" / "heads-schema-6"))
    verdict = judge(comparison, policy_of(ROOT / "docs" / "examples" / "heads" / "policy.toml"))
    page = render(Material(comparison, verdict=verdict), "html")
    assert comparison.run.outputs == ("digit", "parity", "ink") and comparison.run.scored_output == "digit"
    cards = re.findall(rf"<h3>Output (\w+)</h3>|{CARD}", page)
    found: dict[str, list[str]] = {}
    for output, address, link in cards:
        if output:
            shown = found.setdefault(output, [])
        else:
            assert address == link
            shown.append(address)
    assert list(found) == ["parity", "digit", "ink"]  # the worst first
    ends = {"parity": r"sample-\d+-output-1", "digit": r"sample-\d+", "ink": r"sample-\d+-output-2"}
    for output, addresses in found.items():
        assert addresses and all(re.fullmatch(ends[output], address) for address in addresses)
    every = [address for addresses in found.values() for address in addresses]
    assert len(every) == len(set(every))
