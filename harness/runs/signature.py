"""Who sealed a run: an SSH signature over its manifest.json, made and checked by OpenSSH's ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, StoreError
from harness.runs.seal import MANIFEST
from harness.support.text import harmless, last_line

SIGNATURE = MANIFEST + ".sig"
NAMESPACE = "edge-harness"  # a signature that was made for something else is none here
ENOUGH_S = 300.0  # a hardware key waits to be touched


def sign(path: Path, key: Path) -> Path:
    """Signs a run's manifest with an SSH key, or with the one of an agent whose public half `key` is.

    Returns the file of the signature. Raises ConfigError.
    """
    if not key.is_file():
        raise ConfigError(f"there is no key {key}", "give the file of an SSH key, such as ~/.ssh/id_ed25519")
    (path / SIGNATURE).unlink(missing_ok=True)  # ssh-keygen would ask on the terminal whether to replace it
    done = keygen("sign", ["-f", str(key), str(path / MANIFEST)])
    if done.returncode != 0 or not (path / SIGNATURE).exists():
        raise ConfigError(f"{key} does not sign: {last_line(done.stderr, 'no reason given')}", "give another key")
    return path / SIGNATURE


def signer_of(path: Path, allowed_signers: Path) -> str:
    """Returns who of the allowed signers signed the manifest. Raises ConfigError without that file; StoreError where
    the run has no signature, or one of somebody else.
    """
    if not allowed_signers.is_file():
        told = f"there is no file {allowed_signers} of allowed signers"
        raise ConfigError(told, "write a line a signer into it: NAME KEYTYPE KEY, as in `man ssh-keygen`")
    if not (path / SIGNATURE).is_file():
        raise StoreError(f"{path} is not signed", "harness seal --sign KEY RUN signs it")
    which = ["-f", str(allowed_signers), "-s", str(path / SIGNATURE)]
    found = keygen("find-principals", which)
    for signer in found.stdout.decode(errors="replace").splitlines():
        if keygen("verify", [*which, "-I", signer], (path / MANIFEST).read_bytes()).returncode == 0:
            return str(harmless(signer))
    told = f"the signature of {path} is by none of {allowed_signers}, or of another {MANIFEST}"
    raise StoreError(told, "have the run signed by one of them")


def keygen(verb: str, options: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    if shutil.which("ssh-keygen") is None:
        raise ConfigError("ssh-keygen is not installed", "install OpenSSH's client")
    argv = ["ssh-keygen", "-Y", verb, "-n", NAMESPACE, *options]
    try:
        return subprocess.run(argv, input=given, capture_output=True, timeout=ENOUGH_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"ssh-keygen has no answer for {ENOUGH_S:g} s", "unlock the key first, as in an agent"
        ) from error
