"""What tests of the kinds of data share: a source with only what the test is about, and a cache of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.kinds import DataSource


def source(folder: Path, test: str, calibration: str | None = None, **options: object) -> DataSource:
    return DataSource("toy", test, calibration, folder, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """$XDG_CACHE_HOME is empty at the start of every test of a file that imports this."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "edge-harness"
