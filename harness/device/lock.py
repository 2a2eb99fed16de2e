"""One fixed path a device, whoever measures: the lock, not a scheduler, makes the use exclusive.

The file stays, for any user to lock: its text may be that of a run that has ended, so the system is asked who holds it.
"""

import errno
import fcntl
import os
import pwd
import re
import stat
import time

from . import sensors

LOCK = "/tmp/edge-harness.lock"
# Anyone can put a symlink into /tmp, and the file that it points to would be emptied; or a pipe, which would block.
SAFE = os.O_NOFOLLOW | os.O_NONBLOCK
TRIES, AGAIN_S = 3, 0.1  # a look holds it for a moment; and who made it may remove it


def take(who):
    """(the open lock file, None), or (None, who holds it). The kernel frees it when this process dies."""
    held = None
    try:
        for _ in range(TRIES):
            file = opened()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = holder_of(file)
            else:
                if still_there(file):
                    sign(file, who)
                    return file, None
            file.close()
            time.sleep(AGAIN_S)
    except OSError as error:
        return None, unusable(error)
    return None, held or unusable(OSError(errno.EBUSY, "it is replaced again and again"))


def take_workdir(workdir, who):
    """The same for the folder that a server keeps its files in: another device or container may have it, too, and a
    lock of its own. A file system that has no locks is believed to be this device's alone.
    """
    try:
        os.makedirs(workdir, exist_ok=True)
        path = os.path.join(workdir, "lock")
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | SAFE, 0o600), "r+", encoding="utf-8", errors="replace")
        os.fchmod(file.fileno(), 0o600)  # whatever this user's umask is
    except OSError as error:
        return None, "the workdir %s cannot be used: %s" % (workdir, error)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held = "%s, which has the same workdir %s: give each device one of its own" % (file.read(400), workdir)
        file.close()
        return None, held
    except OSError:
        pass
    sign(file, who)
    return file, None


def holder():
    """Who holds the device, or None. Changes nothing: a shared lock is tried for a moment on the file as it is."""
    try:
        with plain(os.O_RDONLY, "r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return holder_of(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        return unusable(error)
    return None


def opened():
    """The lock file, made where there is none. Raises OSError."""
    try:
        return plain(os.O_RDWR, "r+")  # without O_CREAT, which a system may refuse for another user's file in /tmp
    except PermissionError:  # of an older version: it can still be locked
        return plain(os.O_RDONLY, "r")
    except FileNotFoundError:
        try:
            file = plain(os.O_RDWR | os.O_CREAT | os.O_EXCL, "r+")
        except FileExistsError:
            return opened()
        os.fchmod(file.fileno(), 0o666)  # whatever this user's umask is: others measure here, too
        return file


def plain(flags, mode):
    """The open file, which has no second name: nothing of anybody else is written to. Raises OSError."""
    file = os.fdopen(os.open(LOCK, flags | SAFE, 0o666), mode, encoding="utf-8", errors="replace")
    known = os.fstat(file.fileno())
    if not stat.S_ISREG(known.st_mode) or known.st_nlink > 1:
        file.close()
        raise OSError(errno.EINVAL, "not a file of its own", LOCK)
    return file


def still_there(file):
    """Whether it is the file that others will find."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(LOCK))
    except FileNotFoundError:
        return False


def sign(file, who):
    if file.writable():
        file.truncate(0)
        file.write("%s since %s, process %d" % (who, time.strftime("%Y-%m-%d %H:%M:%S %Z"), os.getpid()))
        file.flush()


def holder_of(file):
    """Who holds the file: what it says, or who the system says where the file is not that one's."""
    said, pid = file.read(400), locker(os.fstat(file.fileno()))
    if pid is None or any(said.endswith(", process %s" % own) for own in own_pids(pid)):
        return said or "someone"
    return "process %d%s, who did not say what for" % (pid, described(pid))


def locker(known):
    """The process that holds the lock of a file, None where the system does not say."""
    place = "%02x:%02x:%d" % (os.major(known.st_dev), os.minor(known.st_dev), known.st_ino)
    fields = (line.split() for line in (sensors.read("/proc/locks") or "").splitlines())
    pids = (int(f[4]) for f in fields if len(f) > 5 and f[1] == "FLOCK" and f[5] == place)
    return next((pid for pid in pids if pid > 0), None)  # 0 or less: of a container, and not seen from here


def own_pids(pid):
    """What the process is called here, and in the container that it runs in."""
    status = sensors.read("/proc/%d/status" % pid) or ""
    found = re.search(r"^NSpid:\s+(.+)$", status, re.MULTILINE)
    return found[1].split() if found else [str(pid)]


def described(pid):
    try:
        owner = os.stat("/proc/%d" % pid).st_uid
    except OSError:
        return ""
    return " (%s) of user %s" % (sensors.read("/proc/%d/comm" % pid), user(owner))


def user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def unusable(error):
    try:
        maker = "user %s, who" % user(os.lstat(LOCK).st_uid)
    except OSError:
        maker = "whoever"
    return "%s made %s, which cannot be locked (%s)" % (maker, LOCK, error.strerror or error)
