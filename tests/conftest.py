"""Fixtures that several files of tests share."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.measure.connections import device_code as code
from harness.measure.provision.setup import setup
from harness.records import Target
from harness.runs.own_runs import own_runs
from tests.devices import device_source
from tests.virtual_pi import Board, SetUp, skip, why_not

Call = Callable[..., tuple[int, str, str]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes runs in CI, and where it is asked for."""
    if config.option.markexpr not in ("slow", "large") and not os.environ.get("CI"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("large")])
        items[:] = [item for item in items if not item.get_closest_marker("large")]


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of tests are not noted as those of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield own_runs()


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Devices of this test hold a lock of their own, so that tests and real runs do not wait for each other."""
    source = device_source(tmp_path)
    monkeypatch.setattr(code, "SOURCE", source)
    return source


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage follows the code on a device too, where it measures at all: for tests in which nothing is timed."""
    known = os.environ.get("COVERAGE_PROCESS_CONFIG")
    if known:
        config = json.loads(base64.b64decode(known))
        config["source_pkgs"] += ["device"]  # its name in the archive that travels
        config["patch"] += ["_exit", "fork"]  # a job ends so, and shards begin so
        monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", base64.b64encode(json.dumps(config).encode()).decode())


@pytest.fixture(scope="session")
def digits_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that nobody used before the first test that asks for it: digits is built once a session there."""
    return tmp_path_factory.mktemp("digits cache")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """harness(*words) → exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *words])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """An emulated Pi, built, at the end of its cable. A machine that can have none skips; CI may not."""
    reason = why_not()
    if reason:
        skip(reason)
    board = Board(tmp_path_factory.mktemp("a board") / "virtual pi's")
    try:
        board.build()
        board.lay_cable()
        yield board
    finally:
        board.remove()


@pytest.fixture
def fresh_board(board: Board) -> Board:
    """Running, as it was built, and known to nobody."""
    board.do("reset")
    (board.home / "known_hosts").unlink(missing_ok=True)
    board.heal()
    return board


@pytest.fixture(scope="session")
def setting_up(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """The board is set up once; every test that wants it so starts from this."""
    folder = tmp_path_factory.mktemp("set up")
    said: list[str] = []
    board.do("reset")
    board.heal()
    board.do("trust")
    begin = time.monotonic()
    setup(board.write_target(folder), said.append)
    seconds = time.monotonic() - begin
    board.save(folder / "overlay")
    yield SetUp(folder / "overlay", tuple(said), seconds)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def set_up_board(board: Board, setting_up: SetUp) -> Board:
    board.restore(setting_up.overlay)
    board.heal()
    board.do("trust")
    return board


@pytest.fixture
def pi(set_up_board: Board, tmp_path: Path) -> Iterator[Target]:
    """The set-up board as a target, described in tmp_path/targets. It is mended after the test."""
    set_up_board.heal()
    yield set_up_board.write_target(tmp_path)
    set_up_board.heal()
    set_up_board.wait_until_idle(40)
