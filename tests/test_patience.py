"""A busy device is waited for, as long as was asked, and who holds it is said."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.errors import TargetBusy
from harness.measure import patience
from harness.measure.connections.local import Local
from harness.measure.patience import connect_when_free
from harness.records import Target


@pytest.fixture
def target(tmp_path: Path, own_lock: Path) -> Target:
    return Target("host", workdir=str(tmp_path / "device"))


def test_a_busy_device_is_refused_with_who_holds_it(target: Target) -> None:
    holder = Local(target, "20260101-000000-0000")
    try:
        with pytest.raises(TargetBusy, match=r"run 20260101-000000-0000.*since") as caught:
            connect_when_free(target, "20260102-000000-0000", False, 0.0, print)
        assert "--wait" in caught.value.advice
    finally:
        holder.close()


def test_it_is_waited_for_and_then_measured_on(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is given back while the second waits for it, at its first pause."""
    holder, pause = Local(target, "20260101-000000-0000"), time.sleep
    said: list[str] = []

    def give_back(seconds: float) -> None:
        holder.close()
        pause(0.01)

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=give_back)
    monkeypatch.setattr(patience, "time", clock)
    connect_when_free(target, "20260102-000000-0000", False, 3e4, said.append).close()
    assert len(said) == 1 and "run 20260101-000000-0000" in said[0] and "since" in said[0] and " s at most" in said[0]


def test_the_wait_has_an_end(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TRY_AGAIN_S", 0.05)
    holder = Local(target, "20260101-000000-0000")
    begun = time.monotonic()
    try:
        with pytest.raises(TargetBusy, match=r"waited for 0\.3 s"):
            connect_when_free(target, "20260102-000000-0000", False, 0.3, lambda text: None)
    finally:
        holder.close()
    assert time.monotonic() - begun < 30
