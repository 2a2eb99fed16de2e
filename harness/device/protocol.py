"""What the host and the device say to each other, and the names of the files that they exchange: for both ends.

Messages are JSON lines: to the device on the server's stdin, to the host on a private duplicate of fd 1, since native
code prints to fd 1. A message may carry bytes: it then holds "size" and "sha256", and that many bytes follow its line.

host   → hello {workdir, run_id, who, tune} · missing {sha256: […]} · blob {sha256, size}+bytes
         job {job_id, job, blobs, limit_s, start_temperature_c, cooldown_timeout_s} · fetch {job_id} · fetched {job_id}
         alive
device → ready {environment} · busy {holder} · missing {sha256: […]} · cooling {job_id, temperature_c}
         begin {job_id} · progress {job_id, done, of} · end {job_id} · done {job_id} · alive
         file {job_id, name, size, sha256}+bytes · sent {job_id} · error {what}

Patterns are texts here: each job reads this file, and compiling a pattern would delay every one of them.
"""


class Op:
    """What a message of the host asks for, under "op"."""

    HELLO = "hello"
    MISSING = "missing"  # which of these blobs do you not have?
    BLOB = "blob"
    JOB = "job"
    FETCH = "fetch"
    FETCHED = "fetched"  # the files of a job are here and may be removed there
    ALIVE = "alive"


class Event:
    """What a message of the device says, under "event"."""

    READY = "ready"
    BUSY = "busy"
    MISSING = "missing"
    COOLING = "cooling"
    BEGIN = "begin"
    PROGRESS = "progress"
    END = "end"
    DONE = "done"
    FILE = "file"
    SENT = "sent"  # every file of a job was sent
    ERROR = "error"
    ALIVE = "alive"


# Seconds.
HEARTBEAT_S = 5  # between two signs of life, on both ends
SILENCE_S = 30  # an end that hears nothing for so long takes the other for gone
END_S = 5  # what the server still does when its host is gone
NO_ANSWER_S = 600  # a job that says nothing for so long, not that a sample is answered, is ended
CLOSE_S = 10  # how long the host waits for a server to end, before it kills it

# Bytes.
MESSAGE_LIMIT_BYTES = 1 << 20  # of one line, either way
FILES_LIMIT_BYTES = 1 << 30  # of all files of one job
STDERR_LIMIT_BYTES = 16 << 20  # that a job may print; then it is ended, and what it printed first is kept
STDERR_KEPT_BYTES = 1 << 16

# Names.
NAME = r"[A-Za-z0-9._-]{1,64}"  # of a run, a job and a blob
NOT_IN_A_NAME = r"[^A-Za-z0-9._-]"

# The files of a job, in its folder on the device. What goes in:
JOB = "job.json"
MODEL = "model.tflite"
INPUTS = "inputs"
INPUT = r"inputs/(\d+)-(\d+)\.npy"  # input_file: which of the data's inputs, from which sample on
# What comes out:
RESULT = "result.json"
STATE = "state.json"  # of the device, before and after
TIMINGS = "latencies.npy"
STDERR = "stderr.txt"
OUTPUTS = "outputs"
RESULT_FILE = r"(result|state)\.json|latencies\.npy|stderr\.txt|outputs/\d{1,3}\.npy"  # what the host fetches


def input_file(n, first):
    """The stored values of input n of the data, from sample `first` on."""
    return "%s/%d-%d.npy" % (INPUTS, n, first)


def audit_file(n):
    """The stored values of input n of the data, of the samples of an order audit."""
    return "%s/%d-audit.npy" % (INPUTS, n)


def output_file(n):
    """What output n of the model held for each sample, as the runtime gave it."""
    return "%s/%d.npy" % (OUTPUTS, n)


# latencies.npy: one record a timing, in order. They are packed, since a run keeps millions of them.
PHASES = ("import", "load", "create", "allocate", "first", "warmup", "timed", "set_input", "get_output")
TIMING = [  # a numpy dtype
    ("phase", "u1"),  # its index in PHASES
    ("count", "<u2"),  # invokes in it
    ("ns", "<i8"),  # for all of them
]
