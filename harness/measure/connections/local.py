"""This machine as a device: the same server and the same jobs as anywhere, without a link."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from harness.measure.connections.device_code import device_code
from harness.measure.connections.server import ServerConnection
from harness.records import Target
from harness.support.cache import file_sha256
from harness.support.files import write_atomically


class Local(ServerConnection):
    """Runs the device code with this very Python."""

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        workdir = Path(target.workdir).expanduser()
        argv = [sys.executable, "-I", str(install(workdir)), "serve"]
        super().__init__(target, run_id, argv, str(workdir), tune)


def install(workdir: Path) -> Path:
    """The device code under the workdir, named by its hash; written again where it is not what its name says."""
    code = device_code()
    sha256 = hashlib.sha256(code).hexdigest()
    path = workdir / "code" / f"{sha256}.pyz"
    if not path.is_file() or file_sha256(path) != sha256:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        write_atomically(path, code)
    return path
