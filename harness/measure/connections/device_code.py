"""The device code as one file: a deterministic zipapp, so that its hash is its version."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "device"


def device_code() -> bytes:
    """The bytes of device.pyz: the same for the same sources, on any machine."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(SOURCE.glob("*.py")):
            name = "__main__.py" if path.name == "__main__.py" else f"device/{path.name}"
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return target.getvalue()


def look_script() -> bytes:
    """device/look.py as one script for a Python's stdin, with the workdir as its argument: nothing is left there."""
    modules = {f"device.{name}": (SOURCE / f"{name}.py").read_text() for name in ("sensors", "lock", "venvs", "look")}
    lines = ["import json, sys, types", "sys.modules['device'] = types.ModuleType('device')"]
    for name, text in modules.items():
        short = name.split(".")[1]
        lines += [
            f"m = sys.modules[{name!r}] = types.ModuleType({name!r})",
            "m.__package__ = 'device'",
            f"exec({text!r}, m.__dict__)",
            f"sys.modules['device'].{short} = m",
        ]
    return "\n".join([*lines, "print(json.dumps(sys.modules['device.look'].look(sys.argv[1])))"]).encode()
