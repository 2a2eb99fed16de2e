"""The device code as one file: a deterministic zipapp, so that its hash is its version."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "device"


def device_code() -> bytes:
    """The bytes of device.pyz: the same for the same sources, on any machine."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(SOURCE.glob("*.py")):
            name = "__main__.py" if path.name == "__main__.py" else f"device/{path.name}"
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return target.getvalue()
