"""One job in one process: job.json, model.tflite and inputs/ go in; result.json, latencies.npy and outputs/ come out.

job.json  kind ("latency" or "outputs"), runtime, threads, affines [{scale, offset}], inputs [file a model input],
          and for latency: warmup_s, warmup_runs, min_s, min_runs, max_runs, and where the harness tests itself
          slowdown: the share of its own time that is added to every timing; where a run is audited, answers: the
          indices of the timings whose answers are kept, and warmup_samples: how many of the samples, the last ones, are
          for the warm-up alone; for outputs: nothing more.
          carried: the outputs whose values inputs take at the next sample of the same clip, [[output, input]] by
          their places in the model; inputs/ holds what such an input is given where a clip begins;
          counts: which outputs hold only as many rows as another counts, [[that output, [outputs of rows]]];
          reset: what brings the model back to its initial state: "none" (it keeps no state; also where the key is not
          there), "variables" or "interpreter"; for outputs passes: how often all samples are asked, 1 where it is not
          there;
          starts: the places of the samples that are asked from the initial state, each the first of a clip through
          which state is carried; all where it is not there, and for latency where nothing is in carried;
          keep: the indices of tensors between the ops, whose values are kept instead of the outputs'
The names of the files, the phases and the form of the timings are in protocol.py.
"""

import ctypes
import gc
import json
import os
import platform
import select
import signal
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here needs it, and its threads spin where we measure

import numpy as np

from . import engines, kernels, protocol, sensors
from .protocol import PHASES
from .tensors import handed_on, to_tensor, without_rest

TIMING = np.dtype(protocol.TIMING)
FEED_RUNS = 200  # timings of set_input and of get_output, at most
FEED_S = 1.0  # each of them costs an invoke, too
PROGRESS_S = 0.5
CONVERTED_BYTES = 128 << 10  # of samples that are made tensors at once, as float64: one by one takes ten times as long
ROUND_PROGRESS_NS = 60 * 10**9  # of timings: so rare that no figure shows it


class Log:
    """The timings, in order, the memory at each point, and the answers that are kept of timed invokes. Says how far
    they are, so that a slow model is not given up.

    of: how many timings there will be, at least.
    """

    def __init__(self, say=None, of=0):
        self.say, self.of, self.untold_ns = say, of, 0
        self.rows, self.answers = [], []
        self.memory = {"start": sensors.memory()}

    def add(self, phase, ns, count=1):
        self.rows.append((PHASES.index(phase), count, ns))
        self.untold_ns += ns
        if self.say and self.untold_ns > ROUND_PROGRESS_NS:
            self.untold_ns = 0
            self.say({"event": protocol.Event.PROGRESS, "done": len(self.rows), "of": max(len(self.rows), self.of)})

    def timed(self, phase, action):
        begin = time.perf_counter_ns()
        value = action()
        self.add(phase, time.perf_counter_ns() - begin)
        return value

    def point(self, name):
        self.memory[name] = sensors.memory()


class Model:
    """A model in an interpreter, and the samples it is fed with."""

    def __init__(self, job, log):
        interpreter_class = log.timed("import", lambda: engines.interpreter_class(job["runtime"]))
        log.point("runtime")
        content = log.timed("load", lambda: read_bytes(protocol.MODEL))
        log.point("model")
        self.kept = job.get("keep")
        how = {"experimental_preserve_all_tensors": True} if self.kept else {}
        self.create = lambda: interpreter_class(model_content=content, num_threads=job["threads"], **how)
        self.interpreter = log.timed("create", self.create)
        # Mapped, not read: the samples are not the model's memory, and a shard may be large.
        self.stored = [np.load(path, mmap_mode="r", allow_pickle=False) for path in job["inputs"]]
        self.resize()
        log.timed("allocate", self.interpreter.allocate_tensors)
        log.point("allocated")
        self.inputs = [engines.describe(d) for d in self.interpreter.get_input_details()]
        self.outputs = self.describe_outputs()
        self.affines = job["affines"]
        self.reset = job.get("reset", "none")
        self.counts = job.get("counts", [])
        self.carried = job.get("carried", [])
        self.starts = set(job.get("starts", range(self.samples())))

    def resize(self):
        """Gives inputs of open dimensions, which a file says are 1, the lengths of the samples."""
        for details, stored in zip(self.interpreter.get_input_details(), self.stored):
            signature, sample = list(details["shape_signature"]), list(stored.shape[1:])
            shape = sample if len(signature) == len(sample) else [1] + sample
            if -1 in signature and len(signature) == len(shape) and shape != list(details["shape"]):
                self.interpreter.resize_tensor_input(details["index"], shape)

    def describe_outputs(self):
        """Their shapes are real once the model has run: a file may leave them open."""
        if not self.kept:
            return [engines.describe(d) for d in self.interpreter.get_output_details()]
        known = {d["index"]: d for d in self.interpreter.get_tensor_details()}
        return [engines.describe(known[index]) for index in self.kept]

    def evidence(self):
        """Which kernels ran, and the arena that it takes, where the engine tells."""
        told = {"ran": kernels.ran(self.interpreter), "arena_bytes": getattr(self.interpreter, "arena_bytes", None)}
        return {name: value for name, value in told.items() if value is not None}

    def samples(self):
        return len(self.stored[0])

    def tensors(self, sample):
        """What each input tensor is given for one sample, at batch 1."""
        return [
            to_tensor(stored[sample : sample + 1], affine, tensor).reshape(tensor["shape"])
            for stored, affine, tensor in zip(self.stored, self.affines, self.inputs)
        ]

    def each(self):
        """Yields for one sample after the other what tensors() returns. Some are made ahead, which is faster."""
        ahead = max(1, CONVERTED_BYTES // max(1, sum(stored[:1].size * 8 for stored in self.stored)))
        for first in range(0, self.samples(), ahead):
            made = [
                to_tensor(np.asarray(stored[first : first + ahead]), affine, tensor)
                for stored, affine, tensor in zip(self.stored, self.affines, self.inputs)
            ]
            for rows in zip(*made):
                yield [row.reshape(tensor["shape"]) for row, tensor in zip(rows, self.inputs)]

    def begin(self):
        """Puts the model into its initial state: what it is asked now does not depend on what it was asked before."""
        if self.reset == "interpreter":
            self.renew()
        self.clear()

    def renew(self):
        self.interpreter = None  # two at once would take twice the memory
        self.interpreter = self.create()
        self.resize()
        self.interpreter.allocate_tensors()

    def clear(self):
        """Clears variable tensors, which takes next to no time. Resource variables keep their values."""
        if self.reset == "variables":
            self.interpreter.reset_all_variables()

    def clear_for(self, fed):
        """Clears them where the sample begins anew: inside a clip they hold what the samples before left there."""
        if fed[1]:
            self.clear()

    def fed(self, sample):
        """What `set` takes: the tensors of one sample, and whether it begins anew with the state that they hold."""
        return self.tensors(sample), sample in self.starts

    def set(self, fed):
        """Gives the inputs their values: state is that of the invoke before this one, except where it begins anew."""
        tensors, anew = fed
        if not anew:
            tensors = self.handed_on(tensors)
        for tensor, values in zip(self.inputs, tensors):
            self.interpreter.set_tensor(tensor["index"], values)

    def handed_on(self, tensors):
        """The tensors with what outputs hold now in the place of the inputs that take it."""
        tensors = list(tensors)
        for output, place in self.carried:
            given, taken = self.outputs[output], self.inputs[place]
            value = handed_on(self.interpreter.get_tensor(given["index"]), given, taken)
            tensors[place] = value.reshape(taken["shape"])
        return tensors

    def get(self):
        """One array an output, without the first axis where that is a batch of 1."""
        outputs = [self.interpreter.get_tensor(tensor["index"]) for tensor in self.outputs]
        return without_rest([output[0] if output.shape[:1] == (1,) else output for output in outputs], self.counts)


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def clock_costs():
    """(ns an empty timing pair costs on average, smallest step above 0 that the clock shows)."""
    clock = time.perf_counter_ns
    readings = np.array([clock() for _ in range(2000)])
    steps = np.diff(readings)
    return float(steps.mean()), int(steps[steps > 0].min())


def canary():
    """ns that a fixed loop takes: the best of twenty, so that a slow clock counts and a passing neighbour does not.

    It runs in this process, right before the warm-up and right after the timed invokes, while the core is awake:
    in a process that waited, it comes out a fifth slower before a round than after it.
    """
    return min(fixed_loop_ns() for _ in range(20))


def fixed_loop_ns():
    begin, total = time.perf_counter_ns(), 0
    for n in range(20000):
        total += n
    return time.perf_counter_ns() - begin


def warm_up(model, job, fed, log):
    """At least warmup_runs invokes and warmup_s, fixed beforehand. Timed in blocks of up to 64, so it stays small."""
    invoke, clock = model.interpreter.invoke, time.perf_counter_ns
    end = clock() + int(job["warmup_s"] * 1e9)
    runs, count, block = 0, 1, 0
    while runs < job["warmup_runs"] or clock() < end:
        given = fed[block % len(fed)]
        model.clear_for(given)
        model.set(given)
        begin = clock()
        for _ in range(count):
            invoke()
        ns = clock() - begin
        log.add("warmup", ns, count)
        runs += count
        block += 1
        invoke_ns = ns / count
        count = min(64, count * 2) if ns < 1_000_000 else count
    return invoke_ns


def stopwatch(invoke, clock, count):
    """A function that makes `count` invokes → (begin, end). A single one has no loop, which would cost it .1 µs."""

    def one():
        begin = clock()
        invoke()
        return begin, clock()

    def several():
        begin = clock()
        for _ in range(count):
            invoke()
        return begin, clock()

    return one if count == 1 else several


def time_invokes(model, job, fed, count, log):
    """Only invoke() runs between the two clock readings; inputs are real test samples, cycled.

    Returns by what share their median was really slowed, None where that was not asked for.
    """
    kept = set(job.get("answers", ()))
    clock, slowdown = time.perf_counter_ns, job.get("slowdown", 0.0)
    owed_ns, own_ns, slowed_ns = 0.0, [], []
    clear_for, fill, take = model.clear_for, model.set, stopwatch(model.interpreter.invoke, clock, count)
    end = clock() + int(job["min_s"] * 1e9)
    for index in range(job["max_runs"]):
        given = fed[index % len(fed)]
        clear_for(given)
        fill(given)
        begin, after = take()
        if slowdown:  # real time, spent on this clock
            ready, share_ns = after, (after - begin) * slowdown
            owed_ns += share_ns
            while after - ready < owed_ns:
                after = clock()
            # A wait overshoots by part of a reading, which the next make good; not what the system took meanwhile.
            owed_ns = max(owed_ns - (after - ready), -10 * share_ns)
            own_ns.append(ready - begin)
            slowed_ns.append(after - begin)
        log.add("timed", after - begin, count)
        if index in kept:
            log.answers.append(model.get())
        if after >= end and index + 1 >= job["min_runs"]:
            break
    return float(np.median(slowed_ns) / np.median(own_ns)) - 1 if slowdown else None


def time_feeding(model, fed, log):
    """What writing the inputs and reading the outputs cost, as series of their own."""
    clock = time.perf_counter_ns
    end = clock() + FEED_S * 1e9
    for index in range(FEED_RUNS):
        given = fed[index % len(fed)]
        model.clear_for(given)
        begin = clock()
        if begin > end:
            return
        model.set(given)
        log.add("set_input", clock() - begin)
        model.interpreter.invoke()
        begin = clock()
        model.get()
        log.add("get_output", clock() - begin)


def measure_latency(model, job, log, say):
    pair_ns, step_ns = clock_costs()
    model.set(model.fed(0))
    log.timed("first", model.interpreter.invoke)
    log.point("first")  # memory from here on is the harness's own: prepared samples and timings
    every = [model.fed(sample) for sample in range(model.samples())]
    fed = every[: len(every) - job.get("warmup_samples", 0)]
    gc.disable()
    canary_ns = [canary()]
    invoke_ns = warm_up(model, job, every[len(fed) :] or fed, log)
    # A single invoke of under 20 clock steps is too short for this clock: several share one timing.
    count = 1 if invoke_ns >= 20 * step_ns else int(20 * step_ns / max(invoke_ns, 1)) + 1
    slowed = time_invokes(model, job, fed, count, log)
    time_feeding(model, fed, log)
    canary_ns.append(canary())
    gc.enable()
    if log.answers:
        keep([np.stack(answers) for answers in zip(*log.answers)])
    return {"timing_pair_ns": pair_ns, "clock_step_ns": step_ns, "canary_ns": canary_ns, "slowed": slowed}


def measure_outputs(model, job, log, say):
    """Asks every sample at batch 1, the deployed path, from the model's initial state, or a clip's samples in turn.

    outputs/<n>.npy holds the answers in the order of the samples, pass after pass. Each pass begins in an interpreter
    of its own.
    """
    began_ns, samples, said = time.monotonic_ns(), model.samples(), time.monotonic()
    total, kept = samples * job.get("passes", 1), None
    for index in range(total):
        if index % samples == 0:
            if index:
                model.renew()
            asked = model.each()
        begins = index % samples in model.starts
        if begins:
            model.begin()
        model.set((next(asked), begins))
        model.interpreter.invoke()
        outputs = model.get()
        if kept is None:
            kept = [np.empty((total,) + np.shape(output), np.asarray(output).dtype) for output in outputs]
        for tensor, array, output in zip(model.outputs, kept, outputs):
            if np.shape(output) != array.shape[1:]:  # numpy would repeat a single row
                told = "output %s has shape %s for one sample and %s for another: pad it inside the model"
                raise ValueError(told % (tensor["name"], array.shape[1:], np.shape(output)))
            array[index] = output
        if time.monotonic() - said > PROGRESS_S:
            said = time.monotonic()
            say({"event": protocol.Event.PROGRESS, "done": index + 1, "of": total})
    keep(kept or [])
    return {"samples": total, "answering_ns": time.monotonic_ns() - began_ns}


def keep(outputs):
    """outputs: one array an output of the model, of a row an answer."""
    os.makedirs(protocol.OUTPUTS, exist_ok=True)
    for n, array in enumerate(outputs):
        np.save(protocol.output_file(n), array, allow_pickle=False)


MEASURE = {"latency": measure_latency, "outputs": measure_outputs}


def run(job, say):
    """One job in the current directory → what result.json holds."""
    begin, log = time.monotonic_ns(), Log(say, job.get("min_runs", 0))
    try:
        model = Model(job, log)
        facts = MEASURE[job["kind"]](model, job, log, say)
        log.point("end")
        facts.update(status="ok", inputs=model.inputs, outputs=model.describe_outputs(), **model.evidence())
    except engines.Refused as error:
        facts = {"status": "unsupported", "error": str(error)}
    except Exception as error:
        import traceback  # only here: every job would pay 2 ms

        facts = {
            "status": "failed",
            "error": "%s: %s" % (type(error).__name__, error),
            "traceback": traceback.format_exc(),
        }
    np.save(protocol.TIMINGS, np.array(log.rows, TIMING), allow_pickle=False)
    facts.update(
        runtime=job["runtime"],
        runtime_version=engines.version(job["runtime"]),
        python=platform.python_version(),
        numpy=np.__version__,
        memory_bytes=log.memory,
        wall_ns=time.monotonic_ns() - begin,
    )
    return facts


def end_with_parent():
    """Linux kills this process when the server dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def orphaned():
    """Whether the server died before end_with_parent took hold: then nothing reads the pipe that is fd 1."""
    pipe = select.poll()
    pipe.register(1, 0)
    return any(event & select.POLLERR for _, event in pipe.poll(0))


def main(folder):
    """Progress goes as JSON lines to a private duplicate of fd 1; fd 1 becomes stderr: native code prints there."""
    end_with_parent()
    if orphaned():
        sys.exit(1)
    os.chdir(folder)
    private = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        private.write(json.dumps(message) + "\n")
        private.flush()

    with open(protocol.JOB) as file:
        job = json.load(file)
    result = run(job, say)
    with open(protocol.RESULT + ".part", "w") as file:
        json.dump(result, file)
    os.replace(protocol.RESULT + ".part", protocol.RESULT)
    leave()


def leave():
    """Ends this process. Everything is written; unloading numpy and the runtime would cost 20 ms, and may crash."""
    flush()
    os._exit(0)


def flush():
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # what native code printed
