"""docs/tutorial.md, done as a reader does it: each command in order, each line that it shows against what came."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ROOT, Block, Reader, blocks_of, stands_in
from tests.virtual_pi import Board

PAGE = ROOT / "docs" / "tutorial.md"


def section(number: int) -> list[Block]:
    """The blocks under the heading with this number."""
    lines = PAGE.read_text("utf-8").splitlines()
    begins = {int(found[1]): n for n, line in enumerate(lines, 1) if (found := re.match(r"## (\d)\. ", line))}
    end = begins.get(number + 1, len(lines))
    return [block for block in blocks_of(PAGE) if begins[number] < block.line < end]


@pytest.mark.slow
def test_the_part_on_the_host_prints_what_the_page_shows(tmp_path: Path) -> None:
    reader, found = Reader(tmp_path), {number: section(number) for number in range(2, 7)}
    assert sum(block.kind == "shown" for blocks in found.values() for block in blocks) > 8
    reader.follow(found[2] + found[3])
    reader.type("harness gate latest --policy policy.toml && harness targets")  # as harness init wrote them
    reader.follow(found[4] + found[5] + found[6])


@pytest.mark.board
@pytest.mark.slow
def test_the_part_on_the_board_ends_with_a_verdict(set_up_board: Board, tmp_path: Path) -> None:
    """The board is built, started, enrolled and set up; what follows on the page is typed."""
    reader = Reader(tmp_path, own_lock=False)
    reader.type("harness init")
    (policy,) = [block for block in section(4) if block.title]
    (reader.folder / "policy.toml").write_text(policy.text)
    set_up_board.heal()
    set_up_board.write_target(reader.folder, "virtual-pi")
    lines = section(7)[-1].text.splitlines()
    for line in lines[lines.index("harness run experiment.toml -t virtual-pi --runtime ai-edge-litert --plan none") :]:
        printed = reader.type(line)
    assert "Passes every rule: float16, dynamic_range, int8." in printed


def test_a_line_that_was_not_printed_is_missed() -> None:
    printed = "int8  ai-edge-litert  ok  96.24  −0.14  1  9.10  1.38\n"
    assert stands_in("int8  ai-edge-litert  ok  95.01  0.20  3", printed)
    assert not stands_in("int8  ai-edge-litert  suspect  95.01", printed)
