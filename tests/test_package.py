"""The wheel and the sdist: what is in them, and what works where the wheel alone is installed.

Offline: built by flit_core, and installed without what it depends on beside the packages of this environment.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import __version__
from tests.devices import RECORDED

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "harness"
BUILD = "import os, sys; from flit_core import buildapi; buildapi.build_{}(sys.argv[1])"
WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
Done = subprocess.CompletedProcess[str]


def called(*argv: str | Path, **further: object) -> Done:
    return subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, **further)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """wheel and sdist → the file."""
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("wheel", "sdist"):
        called(sys.executable, "-c", BUILD.format(kind), folder, cwd=ROOT).check_returncode()
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


@pytest.fixture(scope="module")
def installed(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Done]:
    """Calls a program of an environment into which the wheel was installed, in a folder with one stored run."""
    folder = tmp_path_factory.mktemp("a user's")
    venv.create(folder / "venv", with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")}))
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python")
    called(*pip, "install", "--no-deps", "--no-index", "--no-compile", built["wheel"]).check_returncode()
    shutil.copytree(RECORDED, folder / "results" / "digits" / RECORDED.name)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    homes = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    return lambda program, *words: called(
        folder / "venv" / "bin" / program, *words, cwd=folder, env=kept | homes, stdin=subprocess.DEVNULL
    )


def test_the_wheel_has_every_file_of_the_package_and_no_other(built: dict[str, Path]) -> None:
    ours = {str(path.relative_to(ROOT)) for path in HARNESS.rglob("*") if path.is_file()}
    about = f"edge_harness-{__version__}.dist-info/"
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    assert {name for name in names if not name.startswith(about)} == {n for n in ours if "__pycache__" not in n}
    assert {f"{about}licenses/LICENSE", f"{about}entry_points.txt"} <= names
    assert "harness/py.typed" in names


def test_the_sdist_has_the_licence_and_the_docs_and_no_tests(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "docs/interface.md", "harness/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests", "results", "targets", "."))]


def test_the_version_stands_in_one_place(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        told = email.message_from_bytes(archive.read(f"edge_harness-{__version__}.dist-info/METADATA"))
    assert told["Version"] == __version__ and told["License-Expression"] == "Apache-2.0"
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_only_an_extra_brings_tensorflow(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        told = email.message_from_bytes(archive.read(f"edge_harness-{__version__}.dist-info/METADATA"))
    needing = [need for need in told.get_all("Requires-Dist", []) if need.startswith(("tensorflow", "keras"))]
    assert needing and all('extra == "build"' in need for need in needing)


def test_a_container_is_made_of_all_that_the_wheel_needs(built: dict[str, Path], tmp_path: Path) -> None:
    """No container engine is here: what the Dockerfile copies is laid in a folder, and its wheel is built from that."""
    lines = [line.split() for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words[1:] for words in lines if words[:1] == ["COPY"]]
    for *names, into in copied:
        assert set(names) <= kept, "not sent to the engine"
        for name in names:
            place = tmp_path / into.lstrip("/")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)
    called(sys.executable, "-c", BUILD.format("wheel"), tmp_path, cwd=tmp_path / "source").check_returncode()
    (wheel,) = tmp_path.glob("*.whl")
    assert {*zipfile.ZipFile(wheel).namelist()} == {*zipfile.ZipFile(built["wheel"]).namelist()}


def test_a_container_installs_an_extra_and_calls_a_command_that_there_are() -> None:
    text, project = (ROOT / "Dockerfile").read_text(), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (source, extra) = re.findall(r"pip install --no-cache-dir '(.*)\[(\w+)\]'", text)[0]
    assert source == "/source" and extra in project["optional-dependencies"]
    (entry,) = re.findall(r'ENTRYPOINT \["(.*)"\]', text)
    assert entry in project["scripts"]
    assert re.findall(r"FROM python:(3\.\d+)-slim", text) == ["3.11"]  # the one with both runtimes, as README says


@pytest.mark.parametrize("words", [("harness",), ("edge-harness",), ("python", "-m", "harness")])
def test_the_command_has_its_names(installed: Callable[..., Done], words: tuple[str, ...]) -> None:
    assert installed(*words, "--version").stdout == f"edge-harness {__version__}\n"


def test_it_is_the_wheel_that_is_called(installed: Callable[..., Done]) -> None:
    assert "/a user's" in installed("python", "-c", "import harness; print(harness.__file__)").stdout


def test_its_files_are_written_and_judged_without_tensorflow(installed: Callable[..., Done]) -> None:
    """What init, gate and report read beside their code lies in the wheel; TensorFlow cannot be imported here."""
    script = WITHOUT_TENSORFLOW + "from harness.cli import main; main()"
    for words in (
        ("init", "new", "--task", "detection"),
        ("--help",),
        ("list",),
        ("show", "latest", "--worst", "2"),
        ("compare", "latest", "latest"),
        ("gate", "latest"),
        ("report", "latest", "--format", "csv"),
    ):
        done = installed("python", "-c", script, *words)
        assert done.returncode == 0, done.stderr


def test_a_build_without_tensorflow_says_what_to_install(installed: Callable[..., Done]) -> None:
    script = (
        "import harness.build.keras_process as k; k.find_spec = lambda name: None; from harness.cli import main; main()"
    )
    done = installed("python", "-c", script, "build", "digits", "-v", "float32")
    assert done.returncode == 2
    *_, what, advice = done.stderr.splitlines()
    assert "TensorFlow is not installed" in what and advice.strip() == "pip install 'edge-harness[build]'"
