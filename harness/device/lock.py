"""One fixed path a device, whoever measures: the lock, not a scheduler, makes the use exclusive."""

import fcntl
import os
import time

LOCK = "/tmp/edge-harness.lock"


def take(who):
    """(the open lock file, None), or (None, who holds it). The kernel frees it when this process dies."""
    try:
        # O_NOFOLLOW: in /tmp anybody can lay a link, and what it points at would be emptied.
        file = os.fdopen(os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")
    except PermissionError:  # another user's file: still good to lock
        file = open(LOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None, file.read(400)
    if file.writable():
        file.truncate(0)
        file.write(who + time.strftime(" since %Y-%m-%d %H:%M:%S %Z"))
        file.flush()
    return file, None


def holder():
    """Who holds the device, or None. Changes nothing: a shared lock is tried for a moment on the file as it is."""
    try:
        with open(LOCK) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(400) or "someone"
    except OSError:
        pass
    return None
