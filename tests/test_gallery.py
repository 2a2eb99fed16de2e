"""The samples that moved most: which are shown, of which rows, and where on the page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.run_gate import policy_of
from harness.report import render
from harness.report.material import Material
from harness.report.samples.gallery import furthest_masks
from harness.report.samples.mask_pictures import furthest
from harness.runs.loading import load
from tests.made_runs import case
from tests.made_tasks import run_of

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


def test_of_a_picture_that_was_chosen_no_suspect_rows_mask_is_shown() -> None:
    labels = np.random.default_rng(1).integers(0, 2, (20, 6, 6))
    keras = np.eye(2, dtype=np.float32)[labels]
    odd = keras.copy()
    odd[3, 0, 0] = keras[3, 0, 0, ::-1]
    given = {"int8": odd, "broken": keras[..., ::-1].copy()}
    comparison = compare(run_of("segmentation", labels, keras, given))
    assert (comparison.suspect, comparison.sound) == ({case("broken")}, [case("int8")])
    assert (furthest_masks(comparison, 1), furthest(comparison, 3)) == ([3], case("int8"))
    lost = replace(comparison, standings=tuple(replace(s, status="suspect") for s in comparison.standings))
    assert (lost.sound, furthest(lost, 3)) == ([case("int8"), case("broken")], case("broken"))
