"""The venvs of named releases, workdir/engines/<name>-<key>/, each with one library: found, and marked as used.

`harness setup` makes them. about.json is written last: a venv without it was never finished.
"""

import contextlib
import glob
import json
import os
import sys

from . import sensors

FOLDER = "engines"
PART = ".part"  # ends the name of one that is still made
ABOUT = "about.json"  # engine: its name; version: of the library; packages: all that is installed in it


def venvs(workdir):
    """Name of an engine → (folder, version of its library). Not those still made, nor those whose Python is gone."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(workdir), FOLDER, "*", ABOUT))):
        folder = os.path.dirname(path)
        if folder.endswith(PART) or not is_alive(folder):
            continue
        try:
            about = json.loads(sensors.read(path) or "")
            name, version = str(about["engine"]), str(about["version"])
        except (ValueError, KeyError, TypeError):
            continue  # setup makes it again
        found[name] = folder, version
    return found


def is_alive(folder):
    """Whether its Python starts and finds the packages: it is a link, and after an upgrade of the system to another."""
    packages = os.path.join(folder, "lib", "python%d.%d" % sys.version_info[:2])
    return os.access(python_of(folder), os.X_OK) and os.path.isdir(packages)


def python_of(folder):
    return os.path.join(folder, "bin", "python")


def use(folder):
    """Returns its Python. The venv counts as used now, for `harness clean`."""
    with contextlib.suppress(OSError):  # a cache that may only be read
        os.utime(os.path.join(folder, ABOUT))
    return python_of(folder)
