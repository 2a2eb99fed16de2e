"""The governor, set for a run and restored whatever happens: a guard process outlives the server, however it ends."""

import contextlib
import glob
import json
import subprocess
import sys

from . import sensors

FILES = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def write(path, value):
    """Writes a setting as this user, or through sudo where that needs no password. Raises OSError."""
    try:
        with open(path, "w") as file:
            file.write(value)
    except PermissionError as error:
        argv = ["sudo", "-n", "tee", path]
        done = subprocess.run(argv, input=value.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise PermissionError(
                "cannot write %s: %s" % (path, done.stderr.decode(errors="replace").strip())
            ) from error


def start():
    """Sets the governor of every core to performance; returns the guard that restores the old ones. Raises OSError."""
    before = {path: sensors.read(path) for path in sorted(glob.glob(FILES))}
    if not before:
        raise FileNotFoundError("this device has no cpufreq, so no governor to set")
    unreadable = [path for path, value in before.items() if value is None]
    if unreadable:
        raise PermissionError("cannot read %s, so it could not be restored" % unreadable[0])
    isolated = ["-I"] if sys.flags.isolated else []
    argv = [sys.executable, *isolated, sys.argv[0], "restore", json.dumps(before)]
    guard = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True)
    try:
        for path in before:
            write(path, "performance")
    except OSError:
        stop(guard)
        raise
    return guard


def stop(guard):
    guard.stdin.close()
    guard.wait(timeout=10)


def main(settings):
    """The guard: waits until its stdin ends, then restores the governor of each core."""
    sys.stdin.buffer.read()
    failed = 0
    for path, value in json.loads(settings).items():
        try:
            write(path, value)
        except OSError as error:
            failed = 1
            with contextlib.suppress(OSError):  # nobody may listen any more, and other cores are left
                print("cannot restore %s in %s: %s" % (value, path, error), file=sys.stderr, flush=True)
    return failed
