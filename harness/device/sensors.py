"""What the device is and what it looks like now. Whatever cannot be read is None: unknown, never fine."""

import glob
import hashlib
import os
import platform
import re
import struct


def read(path):
    """The text of a small file without trailing NULs and blanks, or None."""
    try:
        with open(path, errors="replace") as file:
            return file.read(65536).strip("\0 \n") or None
    except OSError:
        return None


def read_int(path, scale=1):
    text = read(path)
    return int(text) * scale if text and re.fullmatch(r"-?\d+", text) else None


def first(values):
    return next((value for value in values if value is not None), None)


def cpuinfo(key):
    """The last value of a key of /proc/cpuinfo: the board's lines (Model, Revision, Serial) are at its end."""
    found = re.findall(rf"^{key}\s*:\s*(.+)$", read("/proc/cpuinfo") or "", re.MULTILINE)
    return found[-1].strip() if found else None


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def vcgencmd_text(*args):
    """What the Raspberry Pi firmware answers, or None where there is no vcgencmd, or no permission to use it."""
    import subprocess  # a job, which imports this module too, never asks

    try:
        done = subprocess.run(["vcgencmd", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def vcgencmd(*args):
    """The value behind the "=" of such an answer, or None."""
    answer = vcgencmd_text(*args) or ""
    return answer.split("=", 1)[1] if "=" in answer else None


def board():
    device_tree = ["/proc/device-tree/model", "/sys/firmware/devicetree/base/model"]
    dmi = "/sys/devices/virtual/dmi/id/"
    vendor, product = read(dmi + "sys_vendor"), read(dmi + "product_name")
    return first([*map(read, device_tree), cpuinfo("Model"), " ".join(filter(None, [vendor, product])) or None])


def serial():
    return first([read("/sys/firmware/devicetree/base/serial-number"), cpuinfo("Serial"), read("/etc/machine-id")])


def package_version(name):
    from importlib import metadata  # costs 15 ms, which every job would pay

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def os_name():
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release") or "", re.MULTILINE)
    return found.group(1) if found else platform.platform()


def memory_bytes():
    found = re.search(r"^MemTotal:\s+(\d+) kB", read("/proc/meminfo") or "", re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


ARM_CORES = {"0xb76", "0xc07", "0xd03", "0xd08", "0xd0b"}  # of every Raspberry Pi so far: ARM1176, A7, A53, A72, A76


def emulation():
    """What gives an emulated device away, in words, or None. No latency claim is made for one."""
    if os.environ.get("QEMU_CPU"):
        return "QEMU_CPU is set to " + os.environ["QEMU_CPU"]
    if "SIMULATED" in (vcgencmd_text("version") or ""):
        return "its vcgencmd is a simulation"
    if platform.machine().startswith(("aarch64", "arm")):
        if cpuinfo("CPU implementer") is None:
            return "its CPU does not name its vendor: %s" % first([cpuinfo("model name"), "no name"])
        if "Raspberry Pi" in (board() or "") and cpuinfo("CPU part") not in ARM_CORES:
            return "no Raspberry Pi has CPU part %s" % cpuinfo("CPU part")
    return None


def environment():
    """What the device is: read once a run."""
    return {
        "emulation": emulation(),
        "board": board(),
        "revision": cpuinfo("Revision"),
        "serial_sha256": hashed(serial()),
        "cpu": first([cpuinfo("model name"), cpuinfo("CPU part")]),
        "machine": platform.machine(),
        "userland_bits": struct.calcsize("P") * 8,  # of this Python: a 64-bit kernel may carry a 32-bit userland
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "os": os_name(),
        "kernel": platform.release(),
        "firmware": vcgencmd_text("version"),
        "glibc": platform.libc_ver()[1] or None,
        "frequency_min_hz": cpufreq_hz("scaling_min_freq"),
        "frequency_max_hz": cpufreq_hz("scaling_max_freq"),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "python": platform.python_version(),
        "numpy": package_version("numpy"),
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
    }


def temperature_c():
    zones = sorted(glob.glob("/sys/class/thermal/thermal_zone*"))
    cpu_zones = [zone for zone in zones if re.search("cpu|x86_pkg|soc", read(zone + "/type") or "")]
    millidegrees = first(read_int(zone + "/temp") for zone in cpu_zones)
    return millidegrees / 1000 if millidegrees is not None else None


def frequency_hz():
    """The firmware's measured ARM clock where there is one; cpufreq only knows what was requested."""
    measured = vcgencmd("measure_clock", "arm")
    return int(measured) if measured and measured.isdigit() else cpufreq_hz("scaling_cur_freq")


def undervoltage_alarm():
    """A second source for under-voltage: 1 while it lasts, 0, or None for unknown."""
    for folder in glob.glob("/sys/class/hwmon/hwmon*"):
        if read(folder + "/name") == "rpi_volt":
            return read_int(folder + "/in0_lcrit_alarm")
    return None


def cpufreq_hz(name):
    return read_int("/sys/devices/system/cpu/cpu0/cpufreq/" + name, 1000)


def first_number(path):
    text = read(path)
    return float(text.split()[0]) if text else None


def state():
    """What the device looks like now: read before and after a round, never during one."""
    return {
        "undervoltage_alarm": undervoltage_alarm(),
        "temperature_c": temperature_c(),
        "frequency_hz": frequency_hz(),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "throttled": vcgencmd("get_throttled"),
        "load_1m": first_number("/proc/loadavg"),
        "uptime_s": first_number("/proc/uptime"),
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
    }


def memory():
    """This process: VmHWM, VmRSS, RssAnon, RssFile in bytes, from /proc/self/status; empty where there is none."""
    status = read("/proc/self/status") or ""
    rows = re.findall(r"^(VmHWM|VmRSS|RssAnon|RssFile):\s+(\d+) kB", status, re.MULTILINE)
    return {name: int(kilobytes) * 1024 for name, kilobytes in rows}
