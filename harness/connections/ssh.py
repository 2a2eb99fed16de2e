"""A device behind SSH: the same server and the same jobs as on the host, with the link's words before the argv."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from harness.connections.code import device_code
from harness.connections.link import LINK_BROKE, Link, unreachable
from harness.connections.server import ServerConnection
from harness.errors import TargetError, TargetUnreachable
from harness.records import Target


class Ssh(ServerConnection):
    """Runs the device code with the Python of the target's venv, which `harness setup` made."""

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        self.link = Link(target)
        try:
            code = install_code(self.link)
            argv = [str(venv_python(target)), "-I", str(code), "serve"]
            super().__init__(target, run_id, self.link.argv(argv), target.workdir, tune)
        except BaseException:
            self.link.close()
            raise

    def close(self) -> None:
        super().close()
        self.link.close()

    def lost(self) -> TargetUnreachable:
        code, said = self.ended()
        return unreachable(self.target, said) if code == LINK_BROKE else super().lost()


def workdir(target: Target) -> PurePosixPath:
    """As a remote command takes it: a command starts in the home folder, so "~/x" is "x" and needs no shell."""
    text = target.workdir
    return PurePosixPath(text[2:] if text.startswith("~/") else text)


def venv_python(target: Target) -> PurePosixPath:
    return workdir(target) / "venv" / "bin" / "python"


def install_code(link: Link) -> PurePosixPath:
    """The device code under the workdir, named by its hash; sent only where it is not there."""
    code = device_code()
    path = workdir(link.target) / "code" / f"{hashlib.sha256(code).hexdigest()}.pyz"
    present = link.call(["sh", "-c", 'test -x "$1" || echo venv; test -e "$2" || echo code', "sh",
                         str(venv_python(link.target)), str(path)])  # fmt: skip
    missing = present.stdout.decode().split()
    if "venv" in missing:
        name = link.target.name
        raise TargetError(f"{name} is not set up: it has no venv of ours", f"harness setup {name}, or run with --setup")
    if "code" in missing:
        put(link, code, path)
    return path


def put(link: Link, content: bytes, path: PurePosixPath) -> None:
    """Writes a file there: under another name first, its hash checked, then renamed."""
    script = 'mkdir -p "$1" && cat > "$2.part" && [ "$(sha256sum < "$2.part")" = "$3  -" ] && mv "$2.part" "$2"'
    digest = hashlib.sha256(content).hexdigest()
    done = link.call(["sh", "-c", script, "sh", str(path.parent), str(path), digest], content, timeout_s=600)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "its hash is wrong"
        raise TargetError(f"{link.target.name} could not keep {path.name}: {said}", "is its disk full?")
