"""cli/output.py: what a command prints arrives as far as it can, commands no terminal, and decides no exit code."""

from __future__ import annotations

import io
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.cli import LONGEST, output, short
from harness.cli.output import PLAIN, HarmlessConsole, LastingStream, open_streams
from harness.cli.tables.run_tables import add_row, plain_table
from harness.support.text import harmless_cell, harmless_lines
from tests.devices import RECORDED

RUN = RECORDED.with_name("digits-schema-3")


def gate(before: str = "", after: str = "", **variables: str) -> tuple[int, str]:
    """The exit code of `harness gate` of a copy, in whose folder it leaves its verdict, and what it wrote."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(RUN, Path(folder) / "run")
        command = f"{before} {sys.executable} -m harness gate {run} {after}"
        done = subprocess.run(["bash", "-c", command], env=env, stdout=-1, stderr=-2, check=False)
    return done.returncode, done.stdout.decode("ascii", "replace")


@pytest.mark.parametrize("after", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_changes_no_exit_code(after):
    code, said = gate(after=after)
    assert (code, "Traceback" in said, "unexpected" in said) == (0, False, False)


def test_a_reader_that_goes_changes_no_exit_code():
    code, said = gate(after="| true; echo code ${PIPESTATUS[0]}")
    assert (code, said.splitlines()[-1]) == (0, "code 0")


def test_a_full_disk_is_told():
    code, said = gate(after="> /dev/full")
    assert (code, "No space left on device" in said) == (2, True)


def test_an_encoding_that_lacks_characters_loses_no_sign():
    code, said = gate(PYTHONIOENCODING="ascii")
    assert (code, "-0.5" in said, "?" in said) == (0, True, False)
    assert "\u22121".translate(PLAIN) == "-1"


def test_names_command_no_terminal():
    written = io.StringIO()
    console = HarmlessConsole(file=written, force_terminal=True)
    table = plain_table("\x1b]0;title\x07")
    table.add_column("name")
    add_row(table, "\x1b[2Jtensor\x9b31m", style="red")
    console.print(table)
    said = written.getvalue()
    assert "tensor" in said
    assert not [code for code in ("\x1b]", "\x1b[2J", "\x9b", "\x07") if code in said]
    assert harmless_lines("a\nb\x1b[1mc") == "a\nb [1mc"


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@sum", "\t=1", "\r=1"])
def test_a_cell_of_text_is_not_computed(text):
    assert harmless_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["-0.5", "+1", "1e-9", "-inf", "int8", "", "a=b"])
def test_other_cells_stay_as_they_are(text):
    assert harmless_cell(text) == text


# --- any text at all, also what is no character ----------------------------------------------------------------------

TEXT = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\t\0=+-@,;'\"\ud800\u202e\u2212[]"))
ANY = settings(max_examples=200, derandomize=True, deadline=None)


@ANY
@given(TEXT)
@example("\x1b]8;;http://x\x1b\\\\")
@example("\u202egnp.exe")
def test_no_text_commands_a_terminal(text):
    written = io.StringIO()
    HarmlessConsole(file=written, force_terminal=True, color_system=None).print(text, markup=False, soft_wrap=True)
    for said in (harmless_lines(text), written.getvalue()):
        assert all(character.isprintable() or character == "\n" for character in said)


@ANY
@given(TEXT)
@example(" \t=1+1")
@example("\ufeff=1")
def test_no_text_is_computed_by_a_spreadsheet(text):
    cell = harmless_cell(text)
    assert "\n" not in cell and "\r" not in cell
    begins = cell.lstrip()[:1]
    assert begins not in ("=", "@") and (begins not in ("+", "-") or math.isfinite(float(cell)) or "n" in cell.lower())


@ANY
@given(TEXT, st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", "shift_jis"]))
def test_every_text_arrives_in_every_encoding(text, encoding):
    open_streams()
    written = io.BytesIO()
    with LastingStream(written, encoding, "harness") as stream:
        stream.write(text)
        stream.flush()
        said = written.getvalue().decode(encoding)
    assert said.count("-") >= text.count("\u2212")


@ANY
@given(st.text(max_size=3 * LONGEST))
def test_a_message_keeps_its_ends(text):
    assert len(short(text)) <= LONGEST + 3
    assert (short(text)[:900], short(text)[-900:]) == (text[:900], text[-900:])


def test_a_summary_that_is_nearly_full_keeps_what_changed(tmp_path):
    text, path = "### changed\n" + "<details>" + "rest " * 100 + "</details>\n", tmp_path / "summary.md"
    for room, kept in ((1000, text), (100, "### changed\n"), (5, "")):
        path.write_text("x" * (output.SUMMARY_BYTES - room))
        output.add_summary(lambda most: output.within(text, most), path)
        assert path.read_text().lstrip("x") == kept
