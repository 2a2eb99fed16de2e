"""Jobs in processes that are forked from one that has its runtime already: each starts in 5 ms instead of 150.

A job still has a process of its own, with a model and an interpreter of its own: its crash is no other's. Only jobs
that keep answers are started so, but no audit: it would share the layout of the memory with what it is held against.
A round that is timed starts as a deployed program does, with nothing beside it.
"""

import contextlib
import json
import os
import subprocess
import sys
import traceback

from . import engines, protocol

EXIT, NO_FORK = b'{"exit": ', b'{"no_fork": '


def main(runtime):
    """Forks a job for each folder that stdin names, one after the other, and says how each ended."""
    from . import job  # numpy: not where the server imports this

    job.end_with_parent()
    messages = os.dup(1)
    os.dup2(2, 1)  # what its import prints is in the first job's file
    with contextlib.suppress(Exception):  # each job tries it, too, and says what is wrong
        engines.interpreter_class(runtime)
    job.flush()  # or each job would print it
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            pid = forked(job, json.loads(line), messages)
        except OSError as error:  # no process may start any more
            os.write(messages, b'%s[%d, "%s"]}\n' % (NO_FORK, error.errno, os.strerror(error.errno).encode()))
            break
        _, status = os.waitpid(pid, 0)
        os.write(messages, b"%s%d}\n" % (EXIT, os.waitstatus_to_exitcode(status)))
    job.leave()


def forked(job, folder, messages):
    """The number of the new process, which ends with its job. messages: what is fd 1 of a job at its start."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(messages, 1)
        opened = os.open(os.path.join(folder, protocol.STDERR), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(opened, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        job.main(folder)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


class Forked:
    """One such job, as a Popen shows a process and its stdout. Its group is that of the process it is forked from."""

    def __init__(self, parent, folder):
        self.parent, self.pid, self.stdout, self.returncode = parent, parent.pid, self, None
        with contextlib.suppress(OSError):  # the process has died: its exit code says so
            parent.stdin.write(json.dumps(folder).encode() + b"\n")

    def fileno(self):
        return self.parent.stdout.fileno()

    def readline(self, limit):
        """The next line, b"" where the job has ended. Raises OSError where it could not begin."""
        line = self.parent.stdout.readline(limit)
        if line.startswith(NO_FORK):
            raise OSError(*json.loads(line)["no_fork"])
        if line.startswith(EXIT):
            self.returncode = json.loads(line)["exit"]
            return b""
        return line

    def poll(self):
        return self.parent.poll() if self.returncode is None else self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self.returncode = self.parent.wait(timeout)
        return self.returncode

    def close(self):
        """The process that it is forked from reads on."""


class Forker:
    """Keeps the process that jobs are forked from, of one runtime at a time. argv: runtime → what starts this code."""

    def __init__(self, argv):
        self.argv, self.runtime, self.process = argv, None, None

    def start(self, runtime, folder):
        if runtime != self.runtime or self.process.poll() is not None:
            self.end()
            # Without buffers: a line that lay in one would not wake who waits for it.
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
            with open(os.path.join(folder, protocol.STDERR), "ab") as stderr:
                argv = [*self.argv(runtime), "fork", runtime]
                self.process = subprocess.Popen(argv, start_new_session=True, stderr=stderr, **pipes)
            self.runtime = runtime
        return Forked(self.process, folder)

    def end(self):
        if self.process:
            self.process.stdin.close()  # between two jobs it ends with that
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(protocol.END_S)
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.runtime = self.process = None
