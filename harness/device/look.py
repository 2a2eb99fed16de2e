"""What would spoil a measurement, found without changing anything: only stdlib, run from stdin."""

import glob
import hashlib
import os
import shutil
import sys
import time

from . import lock, sensors, venvs


def existing(path):
    """The path, or the nearest folder above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def ticks(pid):
    """CPU time of a process so far, in clock ticks, and its name."""
    text = sensors.read("/proc/%s/stat" % pid)
    if text is None:
        return None
    name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
    fields = rest.split()
    return int(fields[11]) + int(fields[12]), name


def neighbours(seconds=0.5):
    """[(name, share of one core)] of the processes that were busy during a short look, busiest first."""
    pids = [p for p in (os.listdir("/proc") if os.path.isdir("/proc") else []) if p.isdigit() and int(p) != os.getpid()]
    before = {pid: ticks(pid) for pid in pids}
    time.sleep(seconds)
    shares = []
    for pid, was in before.items():
        now = ticks(pid)
        if was and now and now[0] > was[0]:
            shares.append((now[1], (now[0] - was[0]) / os.sysconf("SC_CLK_TCK") / seconds))
    return sorted(shares, key=lambda pair: -pair[1])[:5]


def venv_facts(workdir):
    """What is in our venv: its Python, and distribution → version read off the folder names."""
    python = os.path.join(workdir, "venv", "bin", "python")
    lib = "python%d.%d" % sys.version_info[:2]  # a venv of the Python before an upgrade of the system is unusable
    site = os.path.join(glob.escape(workdir), "venv", "lib", lib, "site-packages")
    folders = glob.glob(os.path.join(site, "*.dist-info"))
    names = [os.path.basename(folder)[: -len(".dist-info")].rsplit("-", 1) for folder in folders]
    return {"exists": os.access(python, os.X_OK), "packages": {n.replace("_", "-").lower(): v for n, v in names}}


def damaged_code(workdir):
    """The kept archives of the device code that are not what their names say, as a power cut leaves them."""
    paths = glob.glob(os.path.join(glob.escape(workdir), "code", "*.pyz"))
    return sorted(os.path.basename(path) for path in paths if sha256_of(path) + ".pyz" != os.path.basename(path))


def sha256_of(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def has(module):
    import importlib.util

    return importlib.util.find_spec(module) is not None


def look(workdir):
    workdir = os.path.abspath(workdir)
    disk = existing(workdir)
    return {
        "environment": sensors.environment(),
        "state": sensors.state(),
        "executable": sys.executable,
        "has_venv": has("venv") and has("ensurepip"),
        "system_numpy": has("numpy"),
        "venv": venv_facts(workdir),
        "damaged_code": damaged_code(workdir),
        "engines": {name: version for name, (_, version) in venvs.venvs(workdir).items()},
        "disk_free_bytes": shutil.disk_usage(disk).free,
        "disk_writable": os.access(disk, os.W_OK),
        "time_s": time.time(),
        "holder": lock.holder(),
        "neighbours": neighbours(),
        "can_vcgencmd": shutil.which("vcgencmd") is not None,
    }
