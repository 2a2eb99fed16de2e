"""device/look.py: what would spoil a measurement. tests/test_provision.py runs it as it travels."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from harness.device import lock, look
from harness.measure.provision.probe import Look

PACKAGES = "numpy-1.26.4", "ai_edge_litert-2.3.0", "PyYAML-6.0.3"


@pytest.fixture(autouse=True)
def own_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK", str(tmp_path / "lock"))


def test_a_look_at_this_machine_is_what_the_host_reads(tmp_path: Path) -> None:
    seen = TypeAdapter(Look).validate_python(look.look(str(tmp_path / "no" / "such" / "folder")))
    assert seen.executable == sys.executable and seen.system_numpy and seen.holder is None
    assert seen.disk_writable and seen.disk_free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert (seen.venv.exists, seen.venv.packages, seen.damaged_code) == (False, {}, ())
    assert seen.environment.cores == os.cpu_count()


def test_a_folder_that_is_to_be_made_lies_on_the_disk_of_the_nearest_that_exists(tmp_path: Path) -> None:
    assert look.existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert look.existing(str(tmp_path)) == str(tmp_path)


def test_packages_are_named_as_they_are_asked_for(tmp_path: Path) -> None:
    site = tmp_path / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for name in PACKAGES:
        (site / f"{name}.dist-info").mkdir(parents=True)
    assert look.venv_facts(str(tmp_path)) == {
        "exists": False,
        "packages": {"numpy": "1.26.4", "ai-edge-litert": "2.3.0", "pyyaml": "6.0.3"},
    }
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python").touch(0o755)
    assert look.venv_facts(str(tmp_path))["exists"]


def test_code_that_is_not_what_its_name_says_is_named(tmp_path: Path) -> None:
    whole, cut = b"the code", b"the other code"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{hashlib.sha256(whole).hexdigest()}.pyz").write_bytes(whole)
    (tmp_path / "code" / f"{hashlib.sha256(cut).hexdigest()}.pyz").write_bytes(cut[:5])
    (tmp_path / "code" / "folder.pyz").mkdir()
    assert look.damaged_code(str(tmp_path)) == sorted([f"{hashlib.sha256(cut).hexdigest()}.pyz", "folder.pyz"])


def stat(name: str, user: int, system: int) -> str:
    """As Linux has it: the 14th and 15th fields are the ticks, and a name may hold spaces and parentheses."""
    return f"7 ({name}) R " + "0 " * 10 + f"{user} {system} " + "0 " * 30


def test_neighbours_are_told_by_their_share_of_a_core_the_busiest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In half a second a core has 50 ticks of 10 ms."""
    monkeypatch.setattr(look.os, "listdir", lambda _: ["7", "8", "9", "11", "self"])
    monkeypatch.setattr(look.os, "sysconf", lambda _: 100)
    monkeypatch.setattr(look.time, "sleep", lambda _: None)
    before = {"7": stat("web (a) b", 100, 20), "8": stat("quiet", 5, 5), "9": stat("backup", 0, 0)}
    after = {"7": stat("web (a) b", 110, 20), "8": stat("quiet", 5, 5), "9": stat("backup", 20, 20)}
    answers = [before.get, after.get]
    looks = {"7": 0, "8": 0, "9": 0, "11": 0}

    def read(path: str) -> str | None:
        pid = path.split("/")[2]
        looks[pid] += 1
        return answers[looks[pid] - 1](pid)  # 11 has ended

    monkeypatch.setattr(look.sensors, "read", read)
    assert look.neighbours(0.5) == [("backup", 0.8), ("web (a) b", 0.2)]
