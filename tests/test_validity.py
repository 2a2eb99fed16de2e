"""Which rounds are believed: every rule of validity.py, measure.py's repeats, and how the device's server waits."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.measure.jobs import measure
from harness.measure.validity import with_status
from harness.records import DeviceState, Job, Round, Timings
from tests.devices import RUNTIMES, Quiet, append, device_source, job_spec, zipapp
from tests.made_runs import case
from tests.test_jobs import Device, work
from tests.test_serve import INPUTS, MODEL, Host, serving

SECOND = 1_000_000_000
NAMES = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")  # bits 0 to 3, and 16 to 19


def piece(before: dict[str, Any] | None = None, after: dict[str, Any] | None = None, **fields: Any) -> Round:
    return with_status(Round(case(), 0, before=DeviceState(**before or {}), after=DeviceState(**after or {}), **fields))


def flags(before: str | None, after: str | None) -> Round:
    return piece({"throttled": before}, {"throttled": after})


@pytest.mark.parametrize(("ns", "status"), [((0, 0, 0), "invalid"), ((50, 0, 70), "invalid"), ((50, 60, 70), "valid")])
def test_a_round_that_took_no_time_is_invalid(ns: tuple[int, ...], status: str) -> None:
    found = piece(timings={"timed": Timings.of(ns)}, restless_ratio=9.0)
    assert found.status == status
    assert found.reasons == ((f"{ns.count(0)} of 3 timings are 0 ns: its clock stood",) if 0 in ns else ())


def test_timings_whose_sum_no_integer_holds_are_not_believed() -> None:
    """2048 of 2^53 ns make 2^64, which is 0 in 64 bits."""
    found = piece(timings={"timed": Timings.of([2.0**53] * 2048)}, device_ns=SECOND, host_ns=SECOND)
    assert found.status == "invalid"
    assert found.reasons[0] == "its timings make 18,446,744,073.710 s, and it says that it ran for 1.000 s"


@pytest.mark.parametrize(
    ("clock", "whose"), [("device_ns", "it says that it"), ("host_ns", "by the host's clock its process")]
)
def test_timings_of_more_than_their_process_ran_make_a_round_invalid(clock: str, whose: str) -> None:
    """By either clock: 10 s may hold 1 % and 20 ms more, which is 10.12 s, over all phases."""

    def of(seconds: float) -> Round:
        phases = {"warmup": Timings.of([3e9]), "timed": Timings.of([(seconds - 3) * 1e9])}
        process: dict[str, Any] = {clock: 10 * SECOND}
        return piece(timings=phases, **process)

    assert of(10.11).status == "valid"
    assert (of(10.13).status, *of(10.13).reasons) == (
        "invalid",
        f"its timings make 10.130 s, and {whose} ran for 10.000 s",
    )


@pytest.mark.parametrize(("ns", "invokes", "status"), [(9, 1, "invalid"), (50, 100, "invalid"), (10, 1, "valid")])
def test_an_invoke_that_is_faster_than_a_call_makes_a_round_invalid(ns: int, invokes: int, status: str) -> None:
    found = piece(timings={"timed": Timings.of([1000 * invokes, ns], invokes)})
    assert found.status == status
    assert found.reasons == ((f"an invoke of {ns / invokes:g} ns: a call alone takes longer",) if ns != 10 else ())


def test_what_was_not_waited_for_took_no_second_and_a_loop_of_a_nanosecond_took_time() -> None:
    assert piece({"temperature_c": 61.0}, start_temperature_c=60.0).reasons == (
        "started at 61 °C, over 60 °C, after 0 s of cooling",
    )
    assert piece(canary_ns=(1, 1)).status == "valid"


# What the firmware says: vcgencmd get_throttled.


@pytest.mark.parametrize("bit", range(4))
@pytest.mark.parametrize("end", ["before", "after", "both"])
def test_a_live_bit_at_either_end_makes_a_round_invalid(bit: int, end: str) -> None:
    live = f"0x{1 << bit | 1 << (16 + bit):x}"  # the sticky bit comes with it
    found = flags(live if end != "after" else "0x0", live if end != "before" else "0x0")
    assert found.status == "invalid"
    assert found.reasons[0] == f"{NAMES[bit]} during the round"


@pytest.mark.parametrize("bit", range(4))
def test_a_sticky_bit_that_appeared_makes_a_round_invalid(bit: int) -> None:
    found = flags("0x0", f"0x{1 << (16 + bit):x}")
    assert found.status == "invalid"
    assert found.reasons == (f"{NAMES[bit]} happened during the round",)


@pytest.mark.parametrize("bit", range(4))
def test_an_old_sticky_bit_flags_a_round_and_it_counts(bit: int) -> None:
    sticky = f"0x{1 << (16 + bit):x}"
    found = flags(sticky, sticky)
    assert found.status == "flagged"
    assert found.reasons == (f"{NAMES[bit]} happened some time before the round",)


def test_an_old_sticky_bit_does_not_hide_a_new_one() -> None:
    found = flags("0x10000", "0x50000")
    assert found.status == "invalid"
    assert found.reasons == ("throttled happened during the round",)


def test_several_live_bits_are_all_named() -> None:
    assert flags("0x0", "0x50005").reasons == ("under-voltage, throttled during the round",)


@pytest.mark.parametrize("other", ["0x100", "0x8000", "0x100000", "0x0"])
def test_bits_that_mean_nothing_here_say_nothing(other: str) -> None:
    assert flags(other, other).status == "valid"


@pytest.mark.parametrize("unknown", [None, "", "error=1", "VCHI initialization failed"])
def test_what_is_unknown_gives_no_reason(unknown: str | None) -> None:
    assert flags(unknown, unknown) == Round(
        case(), 0, before=DeviceState(throttled=unknown), after=DeviceState(throttled=unknown)
    )


@pytest.mark.parametrize("before", [None, "error=1"])
def test_a_sticky_bit_after_a_round_whose_beginning_is_unknown_is_not_called_new(before: str | None) -> None:
    assert flags(before, "0x40000").status == "valid"


def test_a_live_bit_counts_where_the_other_end_is_unknown() -> None:
    assert flags(None, "0x4").status == flags("0x4", None).status == "invalid"


# The other sources.


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (1, None), (None, 1)])
def test_the_alarm_of_the_power_supply_makes_a_round_invalid(before: int | None, after: int | None) -> None:
    found = piece({"undervoltage_alarm": before}, {"undervoltage_alarm": after})
    assert found.status == "invalid"
    assert found.reasons == ("under-voltage alarm of the power supply",)


@pytest.mark.parametrize("alarm", [0, None])
def test_no_alarm_and_no_sensor_for_it_say_nothing(alarm: int | None) -> None:
    assert piece({"undervoltage_alarm": alarm}, {"undervoltage_alarm": alarm}).status == "valid"


def test_a_device_that_was_switched_off_and_on_makes_a_round_invalid() -> None:
    found = piece({"boot_id": "one"}, {"boot_id": "two"})
    assert (found.status, found.reasons) == ("invalid", ("the device was switched off and on",))
    assert piece({"boot_id": "one"}, {"boot_id": "one"}).status == "valid"
    assert piece({"boot_id": "one"}, {"boot_id": None}).status == "valid"


def clocks(device_s: float, host_s: float) -> Round:
    return piece(device_ns=int(device_s * SECOND), host_ns=int(host_s * SECOND))


@pytest.mark.parametrize(("device_s", "host_s"), [(60, 60), (59.5, 60), (60.5, 60), (0.99, 1), (0.05, 0.069)])
def test_clocks_that_agree_within_a_hundredth_and_the_messages_way_are_fine(device_s: float, host_s: float) -> None:
    assert clocks(device_s, host_s).status == "valid"


@pytest.mark.parametrize(
    ("device_s", "host_s", "apart"),
    [(59.3, 60, "1.2 %"), (60.7, 60, "1.2 %"), (0.96, 1, "4.0 %"), (0.5, 1.25, "60.0 %")],
)
def test_a_clock_that_is_over_a_hundredth_off_makes_a_round_invalid(device_s: float, host_s: float, apart: str) -> None:
    """A Pi 4's counter runs slow under about 300 MHz (measurement.md, section 2)."""
    found = clocks(device_s, host_s)
    assert found.status == "invalid"
    assert found.reasons == (f"its clock and the host's are {apart} apart over the round",)


def test_a_clock_that_only_one_side_read_is_unknown() -> None:
    assert piece(device_ns=SECOND).status == piece(host_ns=SECOND).status == "valid"


@pytest.mark.parametrize(
    ("celsius", "status"), [(60.0, "valid"), (60.4, "flagged"), (71.2, "flagged"), (None, "valid")]
)
def test_a_start_that_is_too_warm_after_waiting_is_flagged_and_counts(celsius: float | None, status: str) -> None:
    found = piece({"temperature_c": celsius}, start_temperature_c=60.0, waited_s=120.3)
    assert found.status == status
    if celsius == 71.2:
        assert found.reasons == ("started at 71 °C, over 60 °C, after 120 s of cooling",)


def test_a_round_without_a_start_temperature_cannot_be_too_warm() -> None:
    assert piece({"temperature_c": 84.0}).status == "valid"


@pytest.mark.parametrize(
    ("canary_ns", "status"),
    [((), "valid"), ((1000, 1100), "valid"), ((1000, 1101), "flagged"), ((1101, 1000), "flagged")],
)
def test_a_fixed_loop_that_takes_over_a_tenth_longer_at_one_end_flags_a_round(
    canary_ns: tuple[int, ...], status: str
) -> None:
    found = piece(canary_ns=canary_ns)
    assert found.status == status
    assert found.status == "valid" or "a fixed loop took 1.10× as long" in found.reasons[0]


def test_a_fixed_loop_that_took_no_time_flags_a_round() -> None:
    found = piece(canary_ns=(0, 5))
    assert (found.status, found.reasons) == ("flagged", ("a fixed loop took no time: its clock stood",))


def test_an_invalid_round_tells_only_what_made_it_so() -> None:
    found = piece({"throttled": "0x20000", "temperature_c": 82.0}, {"throttled": "0x20002"}, start_temperature_c=60.0)
    assert found.status == "invalid"
    assert found.reasons == ("frequency capped during the round",)


# Bursts of other work in the middle of a round.


def timed(median: int, low: int, attempt: int = 0, count: int = 1) -> Round:
    """A round of 100 timings, its lowest tenth at `low` ns an invoke, the rest at `median`."""
    ns = np.array([low] * 15 + [median] * 85)
    return piece(timings={"timed": Timings.of(ns * count, count)}, attempt=attempt, restless_ratio=1.05)


@pytest.mark.parametrize(("median", "status"), [(1000, "valid"), (1050, "valid"), (1051, "repeated")])
@pytest.mark.parametrize("count", [1, 7])
def test_an_unsteady_round_is_measured_once_more(median: int, status: str, count: int) -> None:
    assert timed(median, 1000, count=count).status == status


def test_a_plan_may_let_unsteady_rounds_be() -> None:
    assert with_status(replace(timed(1200, 1000), status="valid", reasons=(), restless_ratio=None)).status == "valid"


def test_a_round_that_is_unsteady_again_counts_and_is_flagged() -> None:
    found = timed(1200, 1000, attempt=1)
    assert (found.status, found.reasons) == (
        "flagged",
        ("unsteady: half of its invokes took over 1.20 × the fastest tenth's time",),
    )


def test_a_throttled_round_is_invalid_whatever_its_timings() -> None:
    live = DeviceState(throttled="0x4")
    rough = replace(timed(1200, 1000), status="valid", reasons=(), before=live)
    assert with_status(rough).reasons == ("throttled during the round",)


def test_a_failed_round_stays_failed_in_its_own_words() -> None:
    failed = Round(case(), 0, "failed", ("no kernel",), before=DeviceState(throttled="0x4"))
    assert with_status(failed) is failed


# Repeats.


class Throttling(Device):
    """The recorded device, throttled in the first attempts at some rounds: job's id without "-again" → how many."""

    def __init__(self, bad: dict[str, int]) -> None:
        super().__init__()
        self.bad = bad

    def recorded(self, job: Job) -> Job:
        return replace(job, id=job.id.replace(f"-again{job.attempt}", ""))

    def fetch(self, job: Job, folder: Path) -> None:
        super().fetch(self.recorded(job), folder)
        state = json.loads((folder / "state.json").read_text())
        state["before"]["throttled"] = "0x0"
        state["after"]["throttled"] = "0x40004" if job.attempt < self.bad.get(self.recorded(job).id, 0) else "0x0"
        (folder / "state.json").write_text(json.dumps(state))


def rounds_of(bad: dict[str, int], folder: Path) -> tuple[Throttling, list[Round]]:
    device = Throttling(bad)
    pieces = list(measure(work(), device, folder, Quiet()))
    return device, [one for one in pieces if isinstance(one, Round)]


BAD = "round-001.int8.ai-edge-litert.t1"


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_invalid_round_is_measured_again_at_once_until_one_is_valid(tmp_path: Path, bad: int) -> None:
    device, rounds = rounds_of({BAD: bad}, tmp_path)
    own = [r for r in rounds if (r.case.variant, r.case.runtime, r.index) == ("int8", "ai-edge-litert", 1)]
    assert [(r.attempt, r.status) for r in own] == [(n, "invalid") for n in range(bad)] + [(bad, "valid")]
    assert len(rounds) == 8 + bad
    asked = [job.id for job in device.asked]
    first = asked.index(BAD)
    assert asked[first : first + bad + 1] == [BAD, *(BAD.replace("001", f"001-again{n + 1}") for n in range(bad))]


def test_a_round_that_stays_invalid_is_tried_three_times_in_all_and_the_run_goes_on(tmp_path: Path) -> None:
    _, rounds = rounds_of({BAD: 99}, tmp_path)
    own = [r for r in rounds if r.index == 1 and r.case.variant == "int8" and r.case.runtime == "ai-edge-litert"]
    assert [(r.attempt, r.status) for r in own] == [(n, "invalid") for n in range(3)]
    assert all(r.reasons == ("throttled during the round",) for r in own)
    others = Counter(r.case for r in rounds if r not in own)
    assert sum(others.values()) == 7


def test_every_attempt_is_kept_and_none_is_measured_twice(tmp_path: Path) -> None:
    _, before = rounds_of({BAD: 2}, tmp_path)
    kept = {path.name for path in tmp_path.iterdir() if "-001" in path.name and "int8.ai-edge" in path.name}
    assert kept == {BAD, BAD.replace("001", "001-again1"), BAD.replace("001", "001-again2")}
    device, after = rounds_of({BAD: 2}, tmp_path)
    assert device.asked == []
    assert [(r.case, r.index, r.attempt, r.status) for r in after] == [
        (r.case, r.index, r.attempt, r.status) for r in before
    ]


# Cooling down, on the device.


THERMOMETER = """
def temperature_c():
    text = read(%r)
    return float(text) if text else None
"""


class Chip:
    """A server whose thermometer is a file."""

    def __init__(self, tmp_path: Path, celsius: float | None) -> None:
        self.file = tmp_path / "temperature"
        self.set(celsius)
        source = device_source(tmp_path, ("time.sleep(1)", "time.sleep(0.05)"))
        append(source, "sensors.py", THERMOMETER % str(self.file))
        self.pyz = zipapp(source)

    def set(self, celsius: float | None) -> None:
        part = self.file.with_suffix(".part")
        part.write_text("" if celsius is None else str(celsius))
        part.replace(self.file)


def ask(host: Host, limit_c: float | None, timeout_s: float) -> None:
    """A job that may start at the limit."""
    host.hello()
    blobs = {"model.tflite": host.blob(MODEL), "inputs/0.npy": host.blob(INPUTS)}
    spec = job_spec("latency", RUNTIMES[0])
    wait: dict[str, Any] = {"start_temperature_c": limit_c, "cooldown_timeout_s": timeout_s}
    host.say("job", job_id="a-job", job=spec, blobs=blobs, limit_s=60, **wait)


def state(host: Host) -> dict[str, Any]:
    assert host.outcome()["event"] == "done"
    found: dict[str, Any] = json.loads(host.fetch()["state.json"])
    return found


def test_a_round_waits_until_the_chip_is_cool_and_says_how_warm_it_is(tmp_path: Path) -> None:
    chip = Chip(tmp_path, 71.5)
    with serving(chip.pyz, tmp_path / "device") as host:
        ask(host, 60.0, 60.0)
        told = [host.hear() for _ in range(5)]
        assert {(m["event"], m["temperature_c"]) for m in told} == {("cooling", 71.5)}
        chip.set(60.0)
        found = state(host)
    assert 0.15 < found["waited_s"] < 20
    assert (found["before"]["temperature_c"], found["start_temperature_c"]) == (60.0, 60.0)


@pytest.mark.alone
def test_a_chip_that_does_not_cool_is_measured_at_the_time_out_and_flagged(tmp_path: Path) -> None:
    chip = Chip(tmp_path, 71.5)
    with serving(chip.pyz, tmp_path / "device") as host:
        ask(host, 60.0, 0.4)
        found = state(host)
    assert 0.4 <= found["waited_s"] < 10
    piece = Round(
        case(),
        0,
        before=DeviceState(temperature_c=found["before"]["temperature_c"]),
        start_temperature_c=found["start_temperature_c"],
        waited_s=found["waited_s"],
    )
    assert with_status(piece).status == "flagged"


@pytest.mark.parametrize(("celsius", "limit_c"), [(None, 60.0), (59.9, 60.0), (84.0, None)])
@pytest.mark.alone
def test_nobody_waits_for_a_cool_chip_an_unknown_one_or_without_a_limit(
    tmp_path: Path, celsius: float | None, limit_c: float | None
) -> None:
    with serving(Chip(tmp_path, celsius).pyz, tmp_path / "device") as host:
        ask(host, limit_c, 60.0)
        assert host.hear()["event"] == "begin"
        assert state(host)["waited_s"] < 0.05


def test_a_host_that_is_gone_ends_the_waiting(tmp_path: Path) -> None:
    with serving(Chip(tmp_path, 71.5).pyz, tmp_path / "device") as host:
        ask(host, 60.0, 600.0)
        assert host.hear()["event"] == "cooling"
        assert host.end() == 0
        assert not list(host.workdir.glob("spool/*/*/state.json"))


def test_a_round_knows_when_it_began(tmp_path: Path) -> None:
    """Its place in the order of time, for the report."""
    before = time.time()
    with serving(Chip(tmp_path, None).pyz, tmp_path / "device") as host:
        ask(host, None, 0.0)
        assert before < state(host)["started_s"] < time.time()
