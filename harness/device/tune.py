"""The governor, set for a run and put back whatever happens: a guard process outlives the server, however that ends."""

import glob
import json
import subprocess
import sys

from . import sensors

FILES = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def write(path, value):
    """Writes a setting as this user, or through sudo where that asks no password. Raises OSError."""
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


def start(governor="performance"):
    """Sets the governor of every core; returns the guard that puts the old ones back. Raises OSError."""
    before = {path: sensors.read(path) for path in sorted(glob.glob(FILES))}
    if not before:
        raise FileNotFoundError("this device has no cpufreq: there is no governor to set")
    unreadable = [path for path, value in before.items() if value is None]
    if unreadable:
        raise PermissionError("cannot read %s: what is not known cannot be put back" % unreadable[0])
    isolated = ["-I"] if sys.flags.isolated else []
    argv = [sys.executable, *isolated, sys.argv[0], "restore", json.dumps(before)]
    guard = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True)
    try:
        for path in before:
            write(path, governor)
    except OSError:
        stop(guard)
        raise
    return guard


def stop(guard):
    guard.stdin.close()
    guard.wait(timeout=10)


def main(settings):
    """The guard: waits until its stdin ends, then writes back what was there before, each core for itself."""
    sys.stdin.buffer.read()
    failed = 0
    for path, value in json.loads(settings).items():
        try:
            write(path, value)
        except OSError as error:
            failed = 1
            print("cannot put back %s in %s: %s" % (value, path, error), file=sys.stderr)
    return failed
