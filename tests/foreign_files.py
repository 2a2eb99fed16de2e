"""Every kind of file that others may have written, one that is sound, and what reads it: each is damaged, and read.

Run as `python -m tests.foreign_files COUNT [SEED] [NAME]` for a campaign of any length; tests/test_foreign.py runs a
short one. tests/mutations.py does the same to whole runs and whole commands.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from harness.build import artifact, builder, original, remarks
from harness.build.check import CheckResult
from harness.build.lint import Remark
from harness.build.models import Facts, h5, model_source
from harness.build.models.predictions import Habits
from harness.build.workloads import mnist
from harness.compare.baseline import compare
from harness.data import kinds, on_disk
from harness.errors import HarnessError, StoreError
from harness.experiment.experiment_file import read_experiment
from harness.gate.policy import read_policy
from harness.measure.counted_rows import counts_of
from harness.measure.model_state import reset_of
from harness.measure.provision.probe import look_at
from harness.measure.selftest.audit_result import AuditResult, Check, Session, Terms
from harness.measure.selftest.twins import Ratio
from harness.measure.targets import read_target
from harness.records import Case, Target, Tensor
from harness.records.terms import Task
from harness.runs import audits, loading, own_runs, references, seal, signature
from harness.runs.header import read_header
from harness.runs.store import Store
from harness.support import cache, locks
from harness.support.cache import read_kept
from harness.support.files import write_json
from harness.support.unneeded import unneeded
from tests.devices import RECORDED, header
from tests.mutations import DEEP, DIGITS, TookTooLong, at_most, mutate, restore, value_changed
from tests.stored_tasks import MADE, stored_run

LONGEST_S = 20.0  # any of these files is read in a hundredth of it; others may use this machine
MEMORY_BYTES = 1 << 30  # beside what is there before
SCHEMA_5 = RECORDED.with_name("digits-schema-5")
SCHEMA_3 = RECORDED.with_name("digits-schema-3")
KEYPOINTS = RECORDED.with_name("keypoints-schema-7")
HEADS = RECORDED.with_name("heads-schema-6")
MODELS = Path(__file__).parent / "models"
IN_TOML = (
    *(
        "true",
        "-1",
        "0",
        "1e999",
        "nan",
        "inf",
        "9223372036854775808",
        DIGITS,
        "[]",
        "{}",
        '""',
        '"\\u0000"',
        '"../.."',
    ),
    *('"\\u001b[2J"', "2026-13-45", "1979-05-27T07:32:00Z", DEEP[:50_000], "[" * 2000 + "]" * 2000, '["a", 1]'),
    *('"/dev/zero"', '"' + "x" * 5000 + '"', '"=1"', '"%s"', "[[1]]", '{ a = { b = "c" } }', "'''\n'''", '"a:b"'),
)
KEYS = ("a.b", "x", "[", '""', '"\\u0000"', '"\\u001b[2J"', "x" * 3000)
IN_CSV = (
    "",
    "nan",
    "inf",
    "-inf",
    "1e999",
    DIGITS,
    "=1+1",
    "\0",
    '"',
    '"a\nb"',
    "\ud800",
    "x" * 200_000,
    ",",
    "\r",
    "é",
)
WORDS = (0, 1, 2, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3B9ACA00, 0xFFFF, 0x10000, 12, 0xFFFFFFFC)
SIZES = (10**12, 2**63 - 1, 0, 2**32 - 1)


@dataclass(frozen=True)
class Kind:
    """make: fills an empty folder with sound files. read: reads them. only: the name of those that are damaged."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    only: str = "*"


# --- damage ----------------------------------------------------------------------------------------------------------


def toml_changed(path: Path, chance: Random) -> str:
    lines = path.read_text().split("\n")
    n = chance.choice([n for n, line in enumerate(lines) if "=" in line])
    key = lines[n].partition("=")[0]
    way = chance.choice(("value", "value", "key", "twice", "table"))
    new = chance.choice(IN_TOML)
    lines[n] = {
        "value": f"{key}= {new}",
        "key": f"{chance.choice(KEYS)} = {new}",
        "twice": f"{lines[n]}\n{lines[n]}",
        "table": f"[{chance.choice(('data', 'rule', '[rule]', 'x.y.z', 'a.' * 3000 + 'a'))}]\n{lines[n]}",
    }[way]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return f"{way} of {key.strip()!r} = {new[:40]!r}"


def cell_changed(path: Path, chance: Random) -> str:
    rows = [line.split(",") for line in path.read_text().split("\n")]
    row = chance.choice(rows)
    place, new = chance.randrange(len(row)), chance.choice(IN_CSV)
    row[place] = new
    path.write_bytes("\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass"))
    return f"cell {place} = {new[:20]!r}"


def word_changed(path: Path, chance: Random) -> str:
    """Another number of 32 bits somewhere: an offset, a length, a code."""
    content = bytearray(path.read_bytes())
    if len(content) < 8:
        return "nothing"
    place = chance.randrange(min(len(content), chance.choice((64, 4096, len(content)))) // 4) * 4
    word = chance.choice((*WORDS, chance.randrange(2**32), chance.randrange(len(content))))
    content[place : place + 4] = struct.pack(chance.choice("<>") + "I", word)
    path.write_bytes(content)
    return f"word at {place} = {word:#x}"


def member_changed(path: Path, chance: Random) -> str:
    """Another content of a member of a zip archive, whose checksum is right; or a member more, less, or twice."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, way = (
        chance.choice(sorted(members)),
        chance.choice(("damaged", "damaged", "damaged", "gone", "twice", "more")),
    )
    told, further = f"{way} {name}", []
    if way == "gone":
        del members[name]
    elif way == "damaged":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(name).name
            file.write_bytes(members[name])
            told += f": {mutate(file, chance)}"
            members[name] = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
    else:
        other = name if way == "twice" else chance.choice(("../../up", "/up/up", "a/b.npy", "\x1b[2J.npy", "x" * 9000))
        further = [(other, members[name])]
    with zipfile.ZipFile(path, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for each in (*members.items(), *further):
            archive.writestr(zipfile.ZipInfo(each[0]), each[1])
    return told


def sizes_changed(path: Path, chance: Random) -> str:
    """A zip archive that says of a member, or of itself, what it does not hold."""
    content = bytearray(path.read_bytes())
    mark, most = chance.choice(((b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22)))
    place = content.find(mark)
    if place < 0:
        return "nothing"
    at = place + chance.randrange(4, most - 1)
    content[at : at + 4] = struct.pack("<I", chance.choice(WORDS))
    path.write_bytes(content)
    return f"{mark!r} byte {at - place}"


def line_changed(path: Path, chance: Random) -> str:
    lines = path.read_text().split("\n")
    n = chance.randrange(1, len(lines))
    part = path.with_name("line.json")
    part.write_text(lines[n])
    told = value_changed(part, chance)
    lines[n] = part.read_text()
    part.unlink()
    path.write_text("\n".join(lines))
    return f"line {n}: {told}"


def bomb(path: Path, chance: Random) -> str:
    """A member of a zip archive of 3 GiB of zeros, or said to have 10^12 bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(sorted(members))
    size = chance.choice(SIZES)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in members.items():
            archive.writestr(*each)
        info = archive.getinfo(name)
        info.file_size = size
    return f"{name} of {size} bytes"


Way = Callable[[Path, Random], str]
ZIP: tuple[Way, ...] = (member_changed, member_changed, sizes_changed, bomb)
WAYS: dict[str, tuple[Way, ...]] = {  # beside those of any file
    ".toml": (toml_changed,) * 6,
    ".csv": (cell_changed,) * 4,
    ".jsonl": (line_changed,) * 2,
    **dict.fromkeys((".npz", ".keras"), ZIP),
    **dict.fromkeys((".tflite", ".parquet", ".png", ".jpg", ".bmp", ".gif", ".gz", ""), (word_changed,) * 2),
}


def damage(folder: Path, only: str, chance: Random) -> tuple[Path, str]:
    """Damages one of the files. Returns which, and how."""
    files = sorted(path for path in folder.rglob(only) if path.is_file() and not path.is_symlink())
    by_name = {name: [file for file in files if file.name == name] for name in {file.name for file in files}}
    file = chance.choice(by_name[chance.choice(sorted(by_name))])
    return file, chance.choice([mutate, mutate, *WAYS.get(file.suffix, ())])(file, chance)


# --- sound files, and what reads them --------------------------------------------------------------------------------


def copied(source: Path, *names: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)

    return make


def run_of(source: Path) -> Callable[[Path], object]:
    return lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True)


def made_run(task: Task) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as results:
            run_of(stored_run(Path(results), task))(folder)

    return make


def begun(folder: Path) -> None:
    """An unfinished run, with what arrived of it."""
    run_of(SCHEMA_5)(folder)
    seal.reopen(folder)


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def as_json(name: str, of: type, content: object) -> Callable[[Path], object]:
    adapter: TypeAdapter[Any] = TypeAdapter(of)
    return lambda folder: (folder / name).write_bytes(adapter.dump_json(content))


def accepted(folder: Path) -> None:
    sessions = (references.Session("d", "e"),)
    earlier = (references.Session("f", "../g", "0" * 64),)
    when = "2026-01-01T00:00:00+00:00"
    known = references.Accepted("a", "b", {"model": "c"}, when, "0.1.0", sessions, earlier=earlier)
    references.write(folder / "reference.json", known)


TENSOR = Tensor("x", "float32", (1, 4), None, None)
FACTS = Facts((TENSOR,), (TENSOR,), 8)
EXPERIMENT = """name = "doorbell"
[model]
source = "model.keras"
[data]
test = "test.npz"
calibration = "test.npz"
scale = 0.5
offset = { x = 1.0 }
labels = ["cat", "dog"]
size = [28, 28]
color = "rgb"
label = "y"
features = ["a", "b"]
sequence = "clip"
group = "person"
[variants]
build = ["float32", "int8"]
import = { vendor = "vendor.tflite" }
baseline = "keras"
select_ops = true
[metrics]
primary = "accuracy"
others = ["f1"]
output = "scores"
[plan]
profile = "standard"
rounds = 10
min_s = 0.5
precision = "1%"
"""
POLICY = """mode = "all"
[[rule]]
metric = "accuracy_drop"
max = "0.5pp"
confidence = 0.95
variant = "!float32"
[[rule]]
metric = "latency_p50"
max_increase = "5%"
against = "reference"
on_inconclusive = "warn"
[[rule]]
metric = "size_bytes"
max = "120KB"
target = "raspberry-pi-*"
"""
TARGET = """kind = "ssh"
host = "raspberrypi.local"
user = "pi"
port = 22
workdir = "~/.cache/edge-harness"
runtimes = ["ai-edge-litert"]
threads = [1, 4]
start_temperature_c = 60
cooldown_timeout_s = 120.5
emulated = false
labels = ["pi4"]
"""
TRANSCRIPTS = "label,a\n" + "\n".join(f"{word} {word},{n}" for n, word in enumerate(("cat", "dög", "a b", "x")))
ROWS = "label,a,b\n" + "\n".join(f"{'cat' if n % 2 else 'dog'},{n},{n / 7:.3f}" for n in range(12))


def experiment_files(folder: Path) -> None:
    (folder / "experiment.toml").write_text(EXPERIMENT)


def read_an_experiment(folder: Path) -> None:
    """The files that it names lie elsewhere, sound."""
    named = folder.parent / "named"
    named.mkdir(exist_ok=True)
    for name in ("model.keras", "test.npz", "vendor.tflite"):
        (named / name).touch()
    for name in ("model.keras", "test.npz", "vendor.tflite"):
        if not (folder / name).exists():
            (folder / name).symlink_to(named / name)
    read_experiment(folder / "experiment.toml")


def arrays(folder: Path) -> None:
    chance = np.random.default_rng(1)
    x, y, clip = chance.integers(0, 9, (12, 3), np.int16), np.arange(12) % 2, np.repeat(["a", "b", "c"], 4)
    np.savez_compressed(folder / "data.npz", x=x, y=y, clip=clip)


def array(folder: Path) -> None:
    np.save(folder / "data.npy", np.arange(36, dtype=np.float32).reshape(12, 3))


def parquet(folder: Path) -> None:
    import pandas as pd

    columns = {"label": ["cat", "dog"] * 6, "a": range(12), "b": np.linspace(0, 1, 12)}
    pd.DataFrame(columns).to_parquet(folder / "data.parquet")


def pictures(folder: Path) -> None:
    from PIL import Image

    for n, suffix in enumerate(("png", "jpg", "bmp", "gif")):
        place = folder / "images" / ("cat" if n % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(place / f"{n}.{suffix}")


def loading_data(name: str, **options: Any) -> Callable[[Path], object]:
    def load(folder: Path) -> None:
        os.environ["XDG_CACHE_HOME"] = str(folder.parent / "cache")
        try:
            kinds.load(kinds.DataSource("own", name, None, folder, **options))
        finally:
            shutil.rmtree(folder.parent / "cache", ignore_errors=True)

    return load


COUNTS = {"train": 20, "test": 10}


def small_mnist() -> dict[str, np.ndarray]:
    made = {}
    for split, count in COUNTS.items():
        made[f"x_{split}"] = np.arange(count * 784, dtype=np.uint64).astype(np.uint8).reshape(count, 28, 28)
        made[f"y_{split}"] = (np.arange(count) % 10).astype(np.uint8)
    return made


def mnist_files(folder: Path) -> None:
    np.savez_compressed(folder / "mnist.npz", **small_mnist())


def idx_files(folder: Path) -> None:
    for name, values in small_mnist().items():
        content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()
        stem = mnist.IDX_STEMS[name].format("-")
        zipped = name.startswith("x")
        (folder / (stem + ".gz" * zipped)).write_bytes(gzip.compress(content, 1, mtime=0) if zipped else content)


def tflite(folder: Path) -> None:
    for name in ("int8", "float_fallback"):
        shutil.copyfile(MODELS / f"{name}.tflite", folder / f"{name}.tflite")


def read_tflite(folder: Path) -> None:
    for file in sorted(folder.iterdir()):
        reset_of(file), counts_of(file)
    for file in sorted(folder.iterdir()):
        found = artifact.inspect(file)
        artifact.check_form(found)
        artifact.faults(found, None, 100)
        assert len(found.named_inputs) == len(found.inputs) and len(found.named_outputs) == len(found.outputs)


def keras_file(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, json.dumps({"name": [name] * 40}))


def h5_file(folder: Path) -> None:
    (folder / "model.h5").write_bytes(h5.MAGIC + bytes(200))


def saved_model(folder: Path) -> None:
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode() * 9)


def keeping(name: str = "") -> Callable[[Path], object]:
    def keep(folder: Path) -> None:
        given = folder / name
        h5.is_hdf5(given) if given.is_file() else None
        model_source.check_whole(given)
        model_source.path_sha256(given)
        with tempfile.TemporaryDirectory() as kept:
            model_source.keep(given, Path(kept))

    return keep


def samples(folder: Path) -> None:
    with on_disk.SamplesWriter(folder) as writer:
        writer.add({"a": np.zeros((3, 2), np.float32), "b": np.ones((3, 1), np.int8)}, np.arange(3))
    on_disk.write_about(folder, writer.names, ("x", "y"))


def cached(folder: Path) -> None:
    (folder / "a.txt").write_text("a")
    cache.seal(folder)


def checked(folder: Path) -> None:
    shutil.copyfile(MODELS / "int8.tflite", folder / "model.tflite")
    builder.write_result(CheckResult("ok", "", (0,), (0,), ((1, 10),)), folder)


def noted(folder: Path) -> None:
    (folder / "own-runs").write_text("a" * 64 + "\n" + "b" * 64 + "\n")


def is_own(folder: Path) -> None:
    (folder.parent / "edge-harness").unlink(missing_ok=True)
    (folder.parent / "edge-harness").symlink_to(folder)
    os.environ["XDG_STATE_HOME"] = str(folder.parent)
    own_runs.is_own(header())


class Said:
    """A device that says what is in a file."""

    def __init__(self, file: Path) -> None:
        self.file, self.target, self.workdir = file, Target("pi"), "/home/pi"

    def call(self, remote: Any, data: bytes = b"", timeout_s: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        content = self.file.read_bytes() if self.file.is_file() and not self.file.is_symlink() else b""
        return subprocess.CompletedProcess([], 0, content, b"")


def looked(folder: Path) -> None:
    from harness.measure.provision.probe import Here

    seen = look_at(Here(Target("host", workdir=str(folder))))
    (folder / "said.json").write_text(json.dumps(asdict(seen)))


def results_of(run: Path) -> Callable[[Path], object]:
    """results/ with an accepted run, of which reference.json alone is damaged, and another run."""

    def make(folder: Path) -> None:
        content = json.loads((run / "run.json").read_text())
        for run_id in ("20260101-000000-0000", "20260102-000000-0000"):
            path = shutil.copytree(run, folder / content["experiment"] / run_id, symlinks=True)
            (path / "run.json").write_text(json.dumps(content | {"run_id": run_id}))
        references.accept(Store(folder), ["20260101-000000-0000"])

    return make


def accept_another(folder: Path) -> None:
    """What was accepted stays known; a file that cannot be read stays as it is."""
    file = folder / "digits" / references.NAME
    before = known_runs(file)
    content = file.read_bytes() if is_regular(file) else b""
    try:
        references.accept(Store(folder), ["20260102-000000-0000"])
    except StoreError:
        assert not is_regular(file) or file.read_bytes() == content, "it was written over"
        raise
    assert before is not None and before <= known_runs(file), "what was accepted is lost"


def known_runs(file: Path) -> set[str] | None:
    """None where it cannot be read."""
    try:
        return {run.run_id for run in references.read(file).every} if os.path.lexists(file) else set()
    except StoreError:
        return None


def sealed_anew(path: Path) -> None:
    """Whoever changes a run can seal it anew: what its files say is then held against each other."""
    compare(loading.read_run(path, read_header(path)))


def kept_and_left(folder: Path) -> None:
    """A cache and runs, with what killed processes left in both."""
    (folder / "cache" / "models" / "a").mkdir(parents=True)
    cached(folder / "cache" / "models" / "a")
    (folder / "results" / "digits").mkdir(parents=True)
    run_of(SCHEMA_5)(folder / "results" / "digits" / "run")
    (folder / "results" / "digits" / ".run.json.elsewhere-7").write_text("{}")


def clean(folder: Path) -> None:
    """A run stays as it is, whatever else there is."""
    run = folder / "results" / "digits" / "run"
    before = {path: path.lstat().st_mtime_ns for path in run.rglob("*")}
    for each in list(unneeded(folder / "cache", folder / "results", 0.0)):
        assert run not in (each.path, *each.path.parents)
    assert {path: path.lstat().st_mtime_ns for path in run.rglob("*")} == before


def coco(folder: Path) -> None:
    pictures(folder)
    names = sorted(str(path.relative_to(folder / "images")) for path in (folder / "images").rglob("*.*"))
    images = [{"id": n, "file_name": name, "width": 8, "height": 8} for n, name in enumerate(names)]
    boxes = [{"id": n, "image_id": n, "category_id": 3, "bbox": [1, 2, 3.5, 4], "iscrowd": 0} for n in range(4)]
    whole = {"images": images, "categories": [{"id": 3, "name": "cat"}], "annotations": boxes}
    (folder / "boxes.json").write_text(json.dumps(whole))


def coco_points(folder: Path) -> None:
    pictures(folder)
    names = sorted(str(path.relative_to(folder / "images")) for path in (folder / "images").rglob("*.*"))
    images = [{"id": n, "file_name": name, "width": 8, "height": 8} for n, name in enumerate(names)]
    points = {"keypoints": [1, 2, 2, 3.5, 4, 1], "num_keypoints": 2, "area": 9.5, "iscrowd": 0}
    whole = {"images": images, "annotations": [points | {"image_id": n} for n in range(4)]}
    (folder / "points.json").write_text(json.dumps(whole))


def yolo(folder: Path) -> None:
    pictures(folder)
    for path in list((folder / "images").rglob("*.*")):
        file = folder / "boxes" / path.relative_to(folder / "images").with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("0 0.5 0.5 0.25 0.25\n1 0.2 0.2 0.1 0.1\n")


def read_sealed(path: Path) -> None:
    """A sealed run is refused, and what is another in it is named."""
    changed = [name for name in seal.read_manifest(SCHEMA_5).files if not is_same(path / name, SCHEMA_5 / name)]
    try:
        loading.load(path)
    except StoreError as error:
        assert not changed or changed[0].rpartition("/")[2] in str(error), str(error)
        raise
    assert not changed, f"believed: {changed}"


def signed(folder: Path) -> None:
    (folder / seal.MANIFEST).write_text("{}\n")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, capture_output=True)
    kind, public, *_ = (folder / "key.pub").read_text().split()
    (folder / "allowed").write_text(f"ann {kind} {public}\n")
    signature.sign(folder, key)


def read_signature(folder: Path) -> None:
    """A signature that says something else is of nobody; whoever may sign is written there by the user."""
    assert signature.signer_of(folder, folder / "allowed") == "ann"


def audited(folder: Path) -> None:
    case = Case("float32", "host", "ai-edge-litert", 1)
    checks = (Check(case, "repeated sample", "pass", "", Ratio(1.0, 0.9, 1.1)), Check(case, "answers", "fail", "a"))
    sessions = (Session(case, 1.0, 2.0, Ratio(2.0, 1.0, 3.0)),)
    about = (folder.name, "20260101-000000-0000", "2026-01-01", "0.1.0", Terms(5))
    result = AuditResult(*about, checks, sessions, ("a note",), "", (case,), (), finished=False)
    (folder / "a").mkdir()
    write_json(folder / "a" / audits.FOUND, audits.document(replace(result, audit_id="a")))


def is_regular(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def is_same(file: Path, other: Path) -> bool:
    return is_regular(file) and file.read_bytes() == other.read_bytes()


KINDS: dict[str, Kind] = {
    "run, schema 5": Kind(run_of(SCHEMA_5), read_sealed),
    "run, schema 1": Kind(run_of(RECORDED), loading.load),
    "manifest.json": Kind(copied(SCHEMA_5, "manifest.json"), seal.read_manifest),
    "arrived.jsonl": Kind(begun, seal.check_arrived, "arrived.jsonl"),
    "reference.json": Kind(accepted, lambda f: references.read(f / "reference.json")),
    "run.lock": Kind(text("run.lock", "ann@pc, process 7"), lambda f: locks.holder(f / "run.lock")),
    "experiment.toml": Kind(experiment_files, read_an_experiment),
    "policy.toml": Kind(text("policy.toml", POLICY), lambda f: read_policy(f / "policy.toml")),
    "targets/pi.toml": Kind(text("pi.toml", TARGET), lambda f: read_target(f / "pi.toml")),
    "data.npz": Kind(arrays, loading_data("data.npz", sequence="clip")),
    "data.npy": Kind(array, loading_data("data.npy")),
    "data.csv": Kind(text("data.csv", ROWS), loading_data("data.csv")),
    "data.parquet": Kind(parquet, loading_data("data.parquet")),
    "images": Kind(pictures, loading_data("images", size=(8, 8))),
    "mnist.npz": Kind(mnist_files, lambda f: mnist.load(f / "mnist.npz", COUNTS)),
    "IDX": Kind(idx_files, lambda f: mnist.load(f, COUNTS)),
    "tflite": Kind(tflite, read_tflite),
    "model.keras": Kind(keras_file, keeping("model.keras")),
    "model.h5": Kind(h5_file, keeping("model.h5")),
    "SavedModel": Kind(saved_model, keeping()),
    "samples.json": Kind(samples, on_disk.read_samples),
    "sha256.json": Kind(cached, cache.whole),
    "facts.json": Kind(as_json("facts.json", Facts, FACTS), original.read_facts),
    "habits.json": Kind(as_json("habits.json", Habits, Habits(("a",), 0.5)), original.read_habits),
    "remarks.json": Kind(as_json("remarks.json", tuple[Remark, ...], (Remark("a", "b"),)), remarks.read_remarks),
    "check.json": Kind(checked, lambda f: read_kept(f / "check.json", TypeAdapter(builder.Checked)), "check.json"),
    "manifest.json.sig": Kind(signed, read_signature, "manifest.json.sig"),
    "audit.json": Kind(audited, lambda f: str(audits.read_audit(f / "a" / audits.FOUND)), "audit.json"),
    "own-runs": Kind(noted, is_own),
    "reference.json, accepted anew": Kind(results_of(SCHEMA_3), accept_another, references.NAME),
    "run, sealed anew": Kind(run_of(SCHEMA_3), sealed_anew),
    "run of keypoints, sealed anew": Kind(run_of(KEYPOINTS), sealed_anew),
    "run of heads, sealed anew": Kind(run_of(HEADS), sealed_anew),
    **{f"run of {task}, sealed anew": Kind(made_run(task), sealed_anew) for task in MADE},
    "what is left": Kind(kept_and_left, clean),
    "COCO JSON": Kind(coco, loading_data("images", boxes="boxes.json", size=(8, 8)), "boxes.json"),
    "COCO JSON of keypoints": Kind(
        coco_points, loading_data("images", points="points.json", size=(8, 8)), "points.json"
    ),
    "YOLO text": Kind(yolo, loading_data("images", boxes="boxes", size=(8, 8)), "*.txt"),
    "transcripts.csv": Kind(text("data.csv", TRANSCRIPTS), loading_data("data.csv", label="label", features=("a",))),
    "a device's look": Kind(looked, lambda f: look_at(Said(f / "said.json"))),
}  # fmt: skip


# --- the campaign ----------------------------------------------------------------------------------------------------


def escape_of(read: Callable[[Path], object], folder: Path) -> str:
    """What escapes from a reader: any error but one that says what and what to do, too long a wait; "" where nothing
    does.
    """
    try:
        with at_most(LONGEST_S):
            read(folder)
    except HarnessError as error:
        return "" if error.advice else f"no advice: {error}"
    except OSError as error:
        return "" if error.filename else f"{error!r} names no file\n{traceback.format_exc()}"
    except (Exception, TookTooLong) as error:
        return f"{type(error).__name__}: {str(error)[:300]}\n{traceback.format_exc()[-3000:]}"
    return ""


@dataclass(frozen=True)
class Files:
    """Sound files of each kind below a folder, empty at first; and copies that are damaged, and made sound again."""

    root: Path

    def sound(self, name: str) -> Path:
        folder = self.root / re.sub(r"\W+", "-", name) / "sound"
        if not folder.exists():
            folder.mkdir(parents=True)
            KINDS[name].make(folder)
            shutil.copytree(folder, folder.with_name("damaged"), symlinks=True)
        return folder

    def tried(self, name: str, chance: Random) -> tuple[str, str]:
        """Damages a file of this kind. Returns how, and what escaped."""
        sound, kind = self.sound(name), KINDS[name]
        damaged = sound.with_name("damaged")
        file, how = damage(damaged, kind.only, chance)
        try:
            return f"{name}, {file.relative_to(damaged)}: {how}", escape_of(kind.read, damaged)
        finally:
            restore(sound / file.relative_to(damaged), file)


def campaign(count: int, seed: int, root: Path, names: tuple[str, ...] = tuple(KINDS)) -> Iterator[tuple[str, str]]:
    """Yields (what was damaged and how, what escaped) of so many files. root: an empty folder."""
    files = Files(root)
    for n in range(count):
        chance = Random(f"{seed}.{n}")
        how, escape = files.tried(chance.choice(names), chance)
        yield f"{seed}.{n} {how}", escape


def bounded_memory() -> None:
    """No more memory than 1 GiB beside what is taken now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    count, seed = int(sys.argv[1]), int((*sys.argv, "0")[2])
    names = tuple(name for name in KINDS if re.search((*sys.argv, "0", "")[3] if len(sys.argv) > 3 else "", name))
    escaped, begun_s, longest = 0, time.monotonic(), (0.0, "")
    with tempfile.TemporaryDirectory() as folder:
        for _ in campaign(len(names) * 3, -1, Path(folder) / "warm", names):  # whatever is loaded late is loaded
            pass
        bounded_memory()
        before = time.monotonic()
        for told, escape in campaign(count, seed, Path(folder) / "root", names):
            if escape:
                escaped += 1
                print(f"=== {told}\n{escape}", flush=True)
            longest = max(longest, (time.monotonic() - before, told))
            before = time.monotonic()
    print(f"{count} mutations in {time.monotonic() - begun_s:.0f} s, {escaped} escaped; the longest: {longest}")


if __name__ == "__main__":
    main()
