"""harness cure, before and after its search: what is refused at once, and where the recipe file lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.command_cure import show, write_out
from harness.experiment.recipe_file import read_recipe
from harness.records import Adjusted, Case
from harness.treatment.cured import Cure
from harness.treatment.remedies import Remedy
from harness.treatment.search import Trial
from harness.treatment.verdict_on import Judged

REMEDY = Remedy("int8_cure_1", "calibration", "ranges of 99% of the values", Adjusted("int8", ranges="99%"))


def cure(held: str) -> Cure:
    case, passes = Case("int8", "local", "ai-edge-litert", 1), Judged("pass", 450)
    trial = Trial(REMEDY, 1000, "a", passes, Judged("pass" if held == "pass" else "fail", 450))
    return Cure("r", case, "policy.toml", ("a rule",), Judged("fail", 900), (450, 450), passes, (), (trial,), True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--out", "int8.toml"), "'int8' is taken"),
        (("--out", "-x.toml"), "cannot be used as a name"),
        (("--out", "mended"), "write --out mended.toml"),
        (("--luck", "--out", "mended.toml"), "leave out --calibration and --out"),
    ],
)
def test_what_no_run_could_take_is_refused_before_anything_is_searched(harness, options, told):
    code, _, said = harness("cure", "latest", *options)
    assert code == 2 and told in " ".join(said.split())


def test_the_recipe_file_has_a_place_that_is_told(tmp_path, capsys):
    write_out(tmp_path / "mended.toml", cure("pass"))
    assert read_recipe(tmp_path / "mended.toml") == REMEDY.recipe
    show(cure("pass"), tmp_path / "mended.toml")
    assert f"The recipe file is {tmp_path / 'mended.toml'}:" in capsys.readouterr().out


def test_where_nothing_passes_out_is_not_written_and_it_says_so(tmp_path, capsys):
    write_out(tmp_path / "mended.toml", cure("fail"))
    assert not Path(tmp_path, "mended.toml").exists()
    assert "mended.toml is not written" in capsys.readouterr().err.replace("\n", "")
