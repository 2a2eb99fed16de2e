"""One server a device and run: holds the device's lock, takes blobs and jobs, starts a process for each job.

The messages are in protocol.py.

The server ends with its stdin, or when it heard nothing for 30 s: a broken link leaves nothing running.
Finished jobs stay spooled in workdir/spool/<run>/<job> until the host has them, so that a resumed run finds them; those
that no run fetched for 14 days are removed. Blobs stay in workdir/blobs; where they would take over 512 MiB, or half of
the disk that is left to them, those that were not used for longest make room for a new one (disk.py).
"""

import contextlib
import json
import os
import queue
import re
import select
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time

from . import engines, forks, lock, protocol, sensors, tune, venvs
from .disk import CHUNK_BYTES, Blobs, drop_old_spools, private, sha256
from .protocol import (
    END_S,
    HEARTBEAT_S,
    MESSAGE_LIMIT_BYTES,
    SILENCE_S,
    STDERR_KEPT_BYTES,
    STDERR_LIMIT_BYTES,
    Event,
    Op,
)

SPEC = "spec.json"  # what a spooled job was asked with


class Channel:
    """Messages to the host, whole lines and bytes at a time, from any thread."""

    def __init__(self):
        self.input = sys.stdin.buffer
        self.output = os.fdopen(os.dup(1), "wb")
        self.lock = threading.Lock()
        os.dup2(2, 1)

    def say(self, event, data=None, **fields):
        with self.lock:
            self.output.write(json.dumps(dict(fields, event=event)).encode() + b"\n")
            if data is not None:
                shutil.copyfileobj(data, self.output, CHUNK_BYTES)
            self.output.flush()

    def beat(self):
        """A sign of life, unless something is being sent or the pipe is full: this never waits."""
        if not self.lock.acquire(blocking=False):
            return
        with contextlib.suppress(OSError):  # the listening thread notices it, too
            if select.select([], [self.output], [], 0)[1]:
                self.output.write(json.dumps({"event": Event.ALIVE}).encode() + b"\n")
                self.output.flush()
        self.lock.release()

    def messages(self):
        for line in iter(lambda: self.input.readline(MESSAGE_LIMIT_BYTES), b""):
            yield parsed(line)


def parsed(line):
    """The message of a line that was read with the limit."""
    if not line.endswith(b"\n"):
        raise ValueError("a message is cut, or longer than %d bytes" % MESSAGE_LIMIT_BYTES)
    return json.loads(line.decode())


def checked(name):
    if not isinstance(name, str) or not re.fullmatch(protocol.NAME, name) or name.startswith("."):
        raise ValueError("not a name: %r" % (name,))
    return name


def results(folder):
    """The names of the files of a job that the host fetches, in order."""
    names = [os.path.relpath(os.path.join(at, n), folder) for at, _, files in os.walk(folder) for n in files]
    return sorted(name for name in names if re.fullmatch(protocol.RESULT_FILE, name))


def hashes(folder):
    """Name → hash of what a job wrote; the state is written after it."""
    return {name: sha256(os.path.join(folder, name)) for name in results(folder) if name != protocol.STATE}


class Server:
    def __init__(self, channel, hello):
        self.channel = channel
        workdir = os.path.abspath(hello["workdir"])
        self.blobs = Blobs(os.path.join(workdir, "blobs"))
        private(os.path.join(workdir, "code"))
        private(os.path.join(workdir, "spool"))
        self.spool = os.path.join(workdir, "spool", checked(hello["run_id"]))
        os.makedirs(self.spool, exist_ok=True)
        drop_old_spools(self.spool)
        isolated = ["-I"] if sys.flags.isolated else []  # as this process is, so that both find the same packages
        self.arguments = [*isolated, os.path.abspath(sys.argv[0])]
        self.venvs = venvs.venvs(workdir)
        self.forker = forks.Forker(self.argv)
        self.jobs = queue.Queue()
        self.heard = time.monotonic()
        self.ended = threading.Event()

    def argv(self, runtime):
        """What starts the device code with the Python that has this engine: its own venv's where a release is named.

        Where there is no such venv, the job says so itself: engines.py runs no other release than the named one.
        """
        own = self.venvs.get(engines.installation(runtime))
        return [venvs.use(own[0]) if own else sys.executable, *self.arguments]

    def runtimes(self):
        """What is installed, in this Python or in a venv of its own → its version."""
        return dict(engines.installed(), **{name: version for name, (_, version) in self.venvs.items()})

    # The listening thread: takes blobs at once, hands jobs on, notices when the host is gone.

    def listen(self):
        try:
            for message in self.channel.messages():
                self.heard = time.monotonic()
                self.take(message)
        except Exception as error:
            self.channel.say(Event.ERROR, what="%s: %s" % (type(error).__name__, error))
        finally:
            self.ended.set()
            self.jobs.put(None)

    def take(self, message):
        op = message["op"]
        if op == Op.MISSING:
            names = [checked(name) for name in message["sha256"]]
            self.heard = float("inf")  # nothing is heard while what is kept is hashed, which may take long
            missing = self.blobs.missing(names)
            self.heard = time.monotonic()
            self.channel.say(Event.MISSING, sha256=missing)
        elif op == Op.BLOB:
            self.blobs.receive(checked(message["sha256"]), message["size"], self.chunks(message["size"]))
        elif op in (Op.JOB, Op.FETCH, Op.FETCHED):
            checked(message["job_id"])
            self.jobs.put(message)

    def chunks(self, size):
        """That many bytes of what the host sends, as they arrive."""
        while size > 0:
            chunk = self.channel.input.read1(min(size, CHUNK_BYTES))
            if not chunk:
                raise EOFError("the link broke inside a transfer")
            self.heard = time.monotonic()
            size -= len(chunk)
            yield chunk

    # The working thread: one message after the other.

    def work(self):
        for message in iter(self.jobs.get, None):
            handle = {Op.JOB: self.job, Op.FETCH: self.fetch, Op.FETCHED: self.forget}[message["op"]]
            handle(message)

    def job(self, message):
        folder = os.path.join(self.spool, message["job_id"])
        asked = {"job": message["job"], "blobs": message["blobs"], "device": sensors.hashed(sensors.serial())}
        spec = json.dumps(asked, sort_keys=True)  # what another device kept in this folder is no answer of this one
        self.blobs.running = set(message["blobs"].values())
        if not (sensors.read(os.path.join(folder, SPEC)) == spec and self.finished(folder)):
            self.lay(folder, message, spec)
            self.measure(folder, message)
        self.channel.say(Event.DONE, job_id=message["job_id"])

    def finished(self, folder):
        """Whether a job came to its end and its files are still what it wrote: a power cut may have emptied them."""
        try:
            with open(os.path.join(folder, protocol.STATE)) as file:
                wrote = json.load(file)["sha256"]
            return wrote == hashes(folder)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def lay(self, folder, message, spec):
        """The job's directory; blobs are linked, so that `job DIR` can be repeated by hand."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, protocol.INPUTS))
        for name, blob in message["blobs"].items():
            if os.path.isabs(name) or ".." in name.split("/"):
                raise ValueError("not a job file: %r" % name)
            os.symlink(self.blobs.path(checked(blob)), os.path.join(folder, name))
        for name, text in ((protocol.JOB, json.dumps(message["job"])), (SPEC, spec)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)

    def measure(self, folder, message):
        """The job between two looks at the device. The host times it too, to check this clock."""
        waited_s = self.cool(message)
        before = sensors.state()
        self.channel.say(Event.BEGIN, job_id=message["job_id"])
        begin, started_s = time.monotonic_ns(), time.time()
        code = self.child(folder, message)
        device_ns = time.monotonic_ns() - begin
        self.channel.say(Event.END, job_id=message["job_id"])
        state = {
            "exit": code,
            "device_ns": device_ns,
            "started_s": started_s,
            "waited_s": waited_s,
            "start_temperature_c": message.get("start_temperature_c"),
            "before": before,
            "after": sensors.state(),
            "sha256": hashes(folder),
        }
        if not self.ended.is_set():
            path = os.path.join(folder, protocol.STATE)
            with open(path + ".part", "w") as file:
                json.dump(state, file)
            os.replace(path + ".part", path)

    def cool(self, message):
        """Waits until the chip is at or under the temperature to start at, or as long as that may take → seconds."""
        limit_c, begin = message.get("start_temperature_c"), time.monotonic()
        while limit_c is not None and not self.silent():
            celsius, waited = sensors.temperature_c(), time.monotonic() - begin
            if celsius is None or celsius <= limit_c or waited >= message["cooldown_timeout_s"]:
                break
            self.channel.say(Event.COOLING, job_id=message["job_id"], temperature_c=celsius)
            time.sleep(1)
        return time.monotonic() - begin

    def child(self, folder, message):
        """The exit code of `job .`, in a process group of its own, ended with the host or where it makes no progress.

        It starts in its folder, and every job with the same argv: the length of a path there would shift the figures
        of its memory, by a page and more.
        """
        with open(os.path.join(folder, protocol.STDERR), "wb") as stderr:
            child = self.start(folder, message["job"], stderr)
        try:
            why = self.watch_child(child, message["job_id"], message["limit_s"], os.path.join(folder, protocol.STDERR))
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.stdout.close()
            child.wait()
        if why:
            with open(os.path.join(folder, protocol.STDERR), "ab") as stderr:
                stderr.truncate(min(stderr.tell(), STDERR_KEPT_BYTES))
                stderr.write(("\n%s, so it was ended\n" % why).encode())
        return child.returncode

    def start(self, folder, job, stderr):
        """Timings are those of a fresh process, with no other beside it. So are the answers of an audit, which asks in
        several passes: what it is held against was forked, and shares where things lie in memory with other forks.
        """
        if job["kind"] == "outputs" and job.get("passes", 1) == 1:
            return self.forker.start(job["runtime"], folder)
        if job["kind"] == "latency":
            self.forker.end()
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": stderr}
        return subprocess.Popen([*self.argv(job["runtime"]), "job", "."], cwd=folder, start_new_session=True, **pipes)

    def watch_child(self, child, job_id, limit_s, printed):
        """Hands on its progress until it ends or the host is gone; why it must end where it made none for limit_s, or
        prints without end. printed: the path of what it prints.
        """
        moved, line = time.monotonic(), None
        while not self.silent():
            if time.monotonic() - moved > limit_s:
                return "no answer for %g s" % limit_s
            if os.path.getsize(printed) > STDERR_LIMIT_BYTES:
                return "it printed over %d MiB" % (STDERR_LIMIT_BYTES >> 20)
            if line == b"":  # it closed its end
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(0.2)
                    break
            else:
                line = self.relay(child, job_id)
            if line:
                moved = time.monotonic()
        return ""

    def relay(self, child, job_id):
        """Hands on a line of progress and returns it; None where none comes soon, b"" when the child closed its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            if not selector.select(timeout=0.2):
                return None
        line = child.stdout.readline(MESSAGE_LIMIT_BYTES)
        if line:
            progress = parsed(line)
            self.channel.say(Event.PROGRESS, job_id=job_id, done=progress["done"], of=progress["of"])
        return line

    def silent(self):
        """True, for good, when the host is gone or was not heard for too long: it hangs or the link is dead."""
        if time.monotonic() - self.heard > SILENCE_S:
            self.ended.set()
        return self.ended.is_set()

    def fetch(self, message):
        folder = os.path.join(self.spool, message["job_id"])
        for name in results(folder):
            path = os.path.join(folder, name)
            with open(path, "rb") as data:
                size = os.path.getsize(path)
                self.channel.say(Event.FILE, data, job_id=message["job_id"], name=name, size=size, sha256=sha256(path))
        self.channel.say(Event.SENT, job_id=message["job_id"])

    def forget(self, message):
        shutil.rmtree(os.path.join(self.spool, message["job_id"]), ignore_errors=True)

    def close(self):
        self.forker.end()
        if os.path.isdir(self.spool) and not os.listdir(self.spool):
            os.rmdir(self.spool)


def watch(server):
    """Ends a server whose host is gone or silent, also one that waits for a message or is stuck in a write to it.

    Tells the host that there is a server, so that it need not wait for one that hangs.
    """
    seconds = 0
    while not server.ended.wait(1):
        server.silent()
        seconds += 1
        if seconds % HEARTBEAT_S == 0:
            server.channel.beat()
    server.jobs.put(None)
    time.sleep(END_S)
    os._exit(1)


def serve(server):
    """Announces that it is ready, and works until the host is gone or something fails → the exit code."""
    server.channel.say(Event.READY, environment=dict(sensors.environment(), runtimes=server.runtimes()))
    try:
        threading.Thread(target=server.listen, daemon=True).start()
        threading.Thread(target=watch, args=(server,), daemon=True).start()
        server.work()
        server.close()
    except Exception as error:
        with contextlib.suppress(OSError):  # the host may be what failed
            server.channel.say(Event.ERROR, what="%s: %s" % (type(error).__name__, error))
        return 1
    return 0


def main():
    channel = Channel()
    hello = next(channel.messages(), None)
    if hello is None:
        return 0
    held, holder = lock.take(hello["who"])  # both are held until this process ends
    kept = None
    if held is not None:
        kept, holder = lock.take_workdir(os.path.abspath(hello["workdir"]), hello["who"])
    if kept is None:
        channel.say(Event.BUSY, holder=holder)
        return 1
    try:
        guard = tune.start() if hello.get("tune") else None
    except OSError as error:
        channel.say(Event.ERROR, what="tuning: %s" % error)
        return 1
    code = serve(Server(channel, hello))
    if guard:
        tune.stop(guard)
    # The listener may be blocked in a read of stdin that never ends; it must not hold up the exit, or abort it.
    os._exit(code)
