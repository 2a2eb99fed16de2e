"""A device behind SSH: the same server and the same jobs as on the host, with ssh before the argv."""

from __future__ import annotations

import hashlib

from harness.errors import TargetError, TargetUnreachable
from harness.measure.connections.device_code import device_code
from harness.measure.connections.link import LINK_BROKE, Link, unreachable
from harness.measure.connections.server import ServerConnection
from harness.measure.targets import cli_name
from harness.records import Target
from harness.support.text import last_line


class Ssh(ServerConnection):
    """Runs the device code with the Python of the target's venv, which `harness setup` made."""

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        self.link = Link(target)
        try:
            code = install_code(self.link)
            argv = [self.link.venv_python, "-I", code, "serve"]
            super().__init__(target, run_id, self.link.argv(argv), self.link.workdir, tune)
        except BaseException:
            self.link.close()
            raise

    def close(self) -> None:
        super().close()
        self.link.close()

    def lost(self) -> TargetUnreachable:
        code, said = self.ended()
        return unreachable(self.target, said) if code == LINK_BROKE else super().lost()


def install_code(link: Link) -> str:
    """The device code under the workdir, named by its hash; sent where it is not there, or not what its name says."""
    code = device_code()
    digest = hashlib.sha256(code).hexdigest()
    path = f"{link.workdir}/code/{digest}.pyz"
    present = link.call(["sh", "-c", LACKS, "sh", link.venv_python, path, digest])
    missing = present.stdout.decode(errors="replace").split()
    if "venv" in missing:
        raise TargetError(
            f"{link.target.name} is not set up: it has no venv of the harness",
            f"harness setup {cli_name(link.target)}, or run with --setup",
        )
    if "code" in missing:
        put(link, code, path)
    return path


# A name proves nothing: a power cut may have emptied the file.
LACKS = """
test -x "$1" || echo venv
test -f "$2" && [ "$(sha256sum < "$2")" = "$3  -" ] || echo code
"""

# $$: two processes that write the same file do not mix. A failure leaves nothing behind. sync, before and after it has
# its name: a power cut leaves the whole file or none.
PUT = """
part=$2.$$.part
umask 077
mkdir -p "$1" && cat > "$part" && [ "$(sha256sum < "$part")" = "$3  -" ] && sync && mv "$part" "$2" && sync && exit
rm -f "$part"
exit 1
"""


def put(link: Link, content: bytes, path: str) -> None:
    """Writes a file there: under another name first, its hash checked, then renamed."""
    folder, _, name = path.rpartition("/")
    digest = hashlib.sha256(content).hexdigest()
    done = link.call(["sh", "-c", PUT, "sh", folder, path, digest], content, timeout_s=600)
    if done.returncode != 0:
        why = last_line(done.stderr, "its hash is wrong")
        raise TargetError(f"{link.target.name} could not store {name}: {why}", "is its disk full?")
