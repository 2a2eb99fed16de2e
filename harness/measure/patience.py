"""A device that another run holds is waited for, as long as the user says."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.errors import TargetBusy
from harness.measure.connections import Connection, connect
from harness.records import Target

TRY_AGAIN_S = 5.0
WAIT = "wait until that run has ended; `harness run` and `harness audit` wait with --wait SECONDS"


def connect_when_free(target: Target, run_id: str, tune: bool, wait_s: float, say: Callable[[str], None]) -> Connection:
    """Opens the connection, as connect does. Where the device is busy it is tried again for wait_s; who holds it is
    said, and since when. Raises TargetBusy where it is not free by then.
    """
    begun, told = time.monotonic(), ""
    while True:
        try:
            return connect(target, run_id, tune)
        except TargetBusy as busy:
            left = begun + wait_s - time.monotonic()
            if left <= 0:
                waited = f"; waited for {wait_s:g} s" if wait_s else ""
                raise TargetBusy(f"{busy}{waited}", WAIT) from busy
            if str(busy) != told:
                told = str(busy)
                say(f"{told}; it is waited for, {left:.0f} s at most")
        time.sleep(min(left, TRY_AGAIN_S))
