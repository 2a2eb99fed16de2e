"""Command lines that are wrong: a line of what, a line of what to do, exit code 2."""

from __future__ import annotations

import pytest

from tests.conftest import Call

WRONG = {
    "dance": ("there is no command 'dance'", "harness --help lists the commands"),
    "help": ("there is no command 'help'", "harness --help lists the commands"),
    "rnu digits": ("there is no command 'rnu'", "did you mean harness run?"),
    "--verison": ("harness has no option --verison", "harness --help"),
    "run --polcy x": ("harness run has no option --polcy", "did you mean --policy?"),
    "list --result x": ("harness list has no option --result", "did you mean --results?"),
    "gate latest --plan quick": ("harness gate has no option --plan", "harness run and upgrade have it"),
    "run --dance": ("harness run has no option --dance", "harness run --help"),
    "run --rounds -1": ("--rounds must be 0 or more, not -1", "harness run --help"),
    "run --rounds abc": ("--rounds must be a whole number, not abc", "harness run --help"),
    "run --threads=1.5": ("--threads must be a whole number, not 1.5", "harness run --help"),
    "run --threads 2 --threads x": ("--threads must be a whole number", "harness run --help"),
    "run --wait soon": ("--wait must be a number, not soon", "harness run --help"),
    "power --baseline 120": ("--baseline must be 100 or less, not 120", "harness power --help"),
    "run --threads": ("--threads of harness run needs a value", "harness run --help"),
    "list --json=3": ("--json of harness list takes no value", "harness list --help"),
    "run a b": ("harness run takes [EXPERIMENT], and no more: b", "leave it out"),
    "list all": ("harness list takes options alone, and no more: all", "leave it out"),
    "gate": ("harness gate needs RUN", "RUN is a run id of `harness list`, a path, or latest"),
    "compare latest": ("harness compare needs CANDIDATE", "CANDIDATE is a run id"),
    "doctor": ("harness doctor needs TARGET", "TARGET is a name of `harness targets`"),
    "run dgits": ("there is no built-in experiment 'dgits'", "did you mean digits?"),
    "run digits --plan standrad": ("there is no plan 'standrad'", "did you mean standard?"),
    "run digits -v flaot32": ("no variant matches 'flaot32'", "did you mean float32?"),
    "run nowhere.toml": ("there is no file nowhere.toml", "the folder that you are in"),
    "schema complare": ("complare prints no JSON", "did you mean compare?"),
    "gate latest": ("there is no run 'latest' in results", "`harness run` makes one"),
}


@pytest.mark.parametrize("line", WRONG)
def test_it_says_what_is_wrong_and_what_to_do(
    harness: Call, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    code, out, err = harness(*line.split())
    what, advice = WRONG[line]
    lines = err.splitlines()
    assert (code, out, len(lines)) == (2, "", 2), err
    assert lines[0] == f"harness: {what}"
    assert lines[1].startswith("         ") and advice in lines[1]
