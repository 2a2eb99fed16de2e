"""What the server keeps on the device's disk from run to run, how much and how long."""

import contextlib
import glob
import hashlib
import os
import shutil
import stat
import time

BLOBS_BYTES = 512 << 20
SPOOL_S = 14 * 86400
CHUNK_BYTES = 1 << 20
ROOT = 0  # who may do anything anyway


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def settle(path):
    """Waits until the file, or the folder's list of names, is on the disk: a power cut leaves it as it is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(folder):
    """Makes the folder this user's alone. Raises PermissionError where it is another's, who could change it."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid not in (os.getuid(), ROOT):
        raise PermissionError("%s belongs to another user; set a workdir of this user's own" % folder)
    with contextlib.suppress(OSError):  # not every file system has modes
        os.chmod(folder, 0o700)


def form(path):
    """What changes with a file's content, for as long as this server lives."""
    seen = os.lstat(path)
    own = stat.S_ISREG(seen.st_mode) and seen.st_uid == os.getuid()  # another could write to it after the proof
    return own, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


class Blobs:
    """workdir/blobs: files under their hashes. One server at a time works there: it holds the device's lock."""

    def __init__(self, folder):
        self.folder = folder
        self.running = set()  # names that the job under way is linked to
        self.needed = set()  # names that the next one was announced with, or that came since
        self.proved = {}  # name → form of a file whose hash was found right since this server began
        private(folder)
        for part in glob.glob(os.path.join(glob.escape(folder), "*.part")):  # of a server that was killed
            os.remove(part)

    def path(self, name):
        return os.path.join(self.folder, name)

    def missing(self, names):
        """Those of the next job's blobs that are not here, whole. What is here counts as used now."""
        self.needed = set(names)
        for name in self.needed & set(os.listdir(self.folder)):
            if self.whole(name):
                os.utime(self.path(name))
                self.proved[name] = form(self.path(name))
            else:
                self.drop(name)
        have = set(os.listdir(self.folder))
        return [name for name in names if name not in have]

    def whole(self, name):
        """Whether a kept file is what its name says: it was written before, and anything may have happened since."""
        now = form(self.path(name))
        return now[0] and (self.proved.get(name) == now or sha256(self.path(name)) == name)

    def drop(self, name):
        if os.path.isdir(self.path(name)) and not os.path.islink(self.path(name)):
            shutil.rmtree(self.path(name))
        else:
            os.remove(self.path(name))

    def receive(self, name, size, chunks):
        """Keeps the bytes of these chunks, which must be what the name says."""
        self.needed.add(name)
        self.make_room(size)
        part, digest = self.path(name) + ".part", hashlib.sha256()
        try:
            with open(part, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != name:
                raise ValueError("blob %s arrived damaged" % name)
            settle(part)
            os.replace(part, self.path(name))
            with contextlib.suppress(OSError):  # not every file system takes a folder
                settle(self.folder)
            self.proved[name] = form(self.path(name))
        finally:
            with contextlib.suppress(OSError):  # a disk that is full of it gets its room back
                os.remove(part)

    def make_room(self, wanted):
        """Removes blobs, the one not used for longest first, until that many bytes fit; never what a job needs."""
        files = sorted((entry.stat().st_mtime, entry.name, entry.stat().st_size) for entry in os.scandir(self.folder))
        total = sum(size for _, _, size in files)
        limit = min(BLOBS_BYTES, (total + shutil.disk_usage(self.folder).free) // 2)
        for _, name, size in files:
            if total + wanted <= limit:
                break
            if name not in self.needed | self.running:
                os.remove(self.path(name))
                total -= size


def drop_old_spools(spool):
    """Removes what other runs left beside this one's spool, where nothing came or went for SPOOL_S."""
    runs = os.path.dirname(spool)
    for path in (os.path.join(runs, name) for name in os.listdir(runs)):
        if path != spool and time.time() - os.path.getmtime(path) > SPOOL_S:
            shutil.rmtree(path, ignore_errors=True)
