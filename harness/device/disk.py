"""What the server keeps on the device's disk from run to run, how much and how long."""

import contextlib
import glob
import hashlib
import os
import shutil
import time

BLOBS_BYTES = 512 << 20
SPOOL_S = 14 * 86400


class Blobs:
    """workdir/blobs: files under their hashes. One server at a time works there: it holds the device's lock."""

    def __init__(self, folder):
        self.folder = folder
        self.running = set()  # names that the job under way is linked to
        self.needed = set()  # names that the next one was announced with, or that came since
        os.makedirs(folder, exist_ok=True)
        for part in glob.glob(os.path.join(glob.escape(folder), "*.part")):  # of a server that was killed
            os.remove(part)

    def path(self, name):
        return os.path.join(self.folder, name)

    def missing(self, names):
        """Those of the next job's blobs that are not here. What is here counts as used now."""
        self.needed, have = set(names), set(os.listdir(self.folder))
        for name in self.needed & have:
            os.utime(self.path(name))
        return [name for name in names if name not in have]

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
            os.replace(part, self.path(name))
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
