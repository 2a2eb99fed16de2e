"""The venvs of named releases, workdir/engines/<name>-<key>/, each with one library: found, and marked as used.

`harness setup` makes them. about.json is written last: a venv without it was never finished.
"""

import contextlib
import glob
import json
import os

from . import sensors

FOLDER = "engines"
ABOUT = "about.json"  # engine: its name; version: of the library; packages: all that is installed in it


def venvs(workdir):
    """Name of an engine → (folder, version of its library). Those whose Python is gone are left out."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(workdir), FOLDER, "*", ABOUT))):
        try:
            about = json.loads(sensors.read(path) or "")
            name, version = str(about["engine"]), str(about["version"])
        except (ValueError, KeyError, TypeError):
            continue  # setup makes it again
        if os.access(python_of(os.path.dirname(path)), os.X_OK):
            found[name] = os.path.dirname(path), version
    return found


def python_of(folder):
    return os.path.join(folder, "bin", "python")


def use(folder):
    """Its Python; the venv counts as used now, for `harness clean`."""
    with contextlib.suppress(OSError):  # a cache that may only be read
        os.utime(os.path.join(folder, ABOUT))
    return python_of(folder)
