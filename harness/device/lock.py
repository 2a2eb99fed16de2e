"""One fixed path a device, whoever measures: the lock, not a scheduler, makes the use exclusive."""

import errno
import fcntl
import os
import stat
import time

LOCK = "/tmp/edge-harness.lock"
# Anyone can put a symlink into /tmp, and the file that it points to would be emptied; or a pipe, which would block.
SAFE = os.O_NOFOLLOW | os.O_NONBLOCK


def opened(flags, mode):
    file = os.fdopen(os.open(LOCK, flags | SAFE, 0o666), mode, encoding="utf-8", errors="replace")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise OSError(errno.EINVAL, "not a file", LOCK)
    return file


def take(who):
    """(the open lock file, None), or (None, who holds it). The kernel frees it when this process dies."""
    try:
        try:
            file = opened(os.O_RDWR | os.O_CREAT, "r+")
        except PermissionError:  # another user's file can still be locked
            file = opened(os.O_RDONLY, "r")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None, file.read(400)
        if file.writable():
            file.truncate(0)
            file.write(who + time.strftime(" since %Y-%m-%d %H:%M:%S %Z"))
            file.flush()
    except OSError as error:
        return None, unusable(error)
    return file, None


def holder():
    """Who holds the device, or None. Changes nothing: a shared lock is tried for a moment on the file as it is."""
    try:
        with opened(os.O_RDONLY, "r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(400) or "someone"
    except FileNotFoundError:
        return None
    except OSError as error:
        return unusable(error)
    return None


def unusable(error):
    return "whoever made %s, which cannot be locked (%s)" % (LOCK, error.strerror or error)
