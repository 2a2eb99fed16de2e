"""Fixtures that several files of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.connections import code
from tests.devices import device_source


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Devices of this test hold a lock of their own, so that tests and real runs do not wait for each other."""
    source = device_source(tmp_path)
    monkeypatch.setattr(code, "SOURCE", source)
    return source
