"""What a program does to a sound before the model sees it: the steps that are known, and what each choice makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import signal
from scipy.io import wavfile

from harness.data.preprocessing.steps import Choice, Family, Rendered

SUFFIXES = (".wav",)
RATES = (8_000, 16_000, 22_050, 44_100, 48_000)  # Hz
SECONDS = (0.5, 0.975, 1.0, 2.0, 3.0, 5.0, 10.0)  # how much of a sound programs take
LENGTHS = (255, 256, 320, 400, 480, 512, 640, 800, 1024, 2048)  # of a frame, in samples
MELS = (20, 26, 32, 40, 64, 80, 96, 128)  # usual numbers of bands; another number of columns is of a plain spectrum
MIXES = {"the mean of the channels": None, "the left channel": 0, "the right channel": -1}
STORED = "as it is stored"
CUTS = {"from the start": 0.0, "around the centre": 0.5, "up to the end": 1.0}
EMPHASES = {"none": 0.0, "0.97": 0.97, "0.95": 0.95}
WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "Hann, periodic": lambda n: signal.get_window("hann", n),
    "Hann, symmetric": lambda n: signal.get_window("hann", n, fftbins=False),
    "Hamming": lambda n: signal.get_window("hamming", n),
    "Blackman": lambda n: signal.get_window("blackman", n),
    "none (rectangular)": np.ones,
}
EDGES = {"no frame beyond the ends": None, "ends reflected": "reflect", "ends filled with zeros": "constant"}
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "magnitude": lambda m: m,
    "power": np.square,
    "logarithm of magnitude + 1e-6": lambda m: np.log(m + 1e-6),
    "logarithm of power + 1e-6": lambda m: np.log(np.square(m) + 1e-6),
    "logarithm of power + 1e-10": lambda m: np.log(np.square(m) + 1e-10),
    "logarithm of 1 + magnitude": np.log1p,
}


def resample(sound: np.ndarray, rate: int, to: int, how: str) -> np.ndarray:
    """Returns one channel, (samples,), at another rate."""
    count = round(len(sound) * to / rate)
    if rate == to:
        return sound
    if how == "polyphase":
        common = int(np.gcd(rate, to))
        return np.asarray(signal.resample_poly(sound, to // common, rate // common))
    if how == "by the Fourier transform":
        return np.asarray(signal.resample(sound, count))
    where = np.arange(count) * rate / to
    if how == "linear":
        return np.interp(where, np.arange(len(sound)), sound)
    return sound[np.minimum(where.astype(int), len(sound) - 1)]


METHODS = ("polyphase", "linear", "by the Fourier transform", "by leaving samples out")


def waves(files: Sequence[Path], count: int) -> Family:
    """Returns what is known of programs that make waveforms of `count` samples of these files."""
    raw = [read(path) for path in files]

    @lru_cache(maxsize=100)
    def at_rate(mix: str, to: str) -> list[np.ndarray]:
        return [one_channel(*each, mix, to) for each in raw]

    @lru_cache(maxsize=100)
    def wave(mix: str, rate: str, cut: str, emphasis: str, mean: str) -> np.ndarray:
        return np.stack([one_wave(each, cut, emphasis, mean, count) for each in at_rate(mix, rate)])

    def render(choice: Choice) -> Rendered:
        made = wave(*(choice[step] for step in steps))[..., np.newaxis]
        return Rendered(made, np.ones(made.shape[:-1], bool), 2 / 255)

    steps = wave_steps()
    together = (("rate", "cut"), ("rate", "pre-emphasis"), ("cut", "channels"), ("mean",))
    return Family(steps, together, render, render)


def wave_steps() -> dict[str, Sequence[str]]:
    rates = (STORED, *(f"{rate} Hz, {how}" for rate in RATES for how in METHODS))
    return {
        "channels": tuple(MIXES),
        "rate": rates,
        "cut": tuple(CUTS),
        "pre-emphasis": tuple(EMPHASES),
        "mean": ("kept", "taken off"),
    }


def one_channel(sound: np.ndarray, rate: int, mix: str, to: str) -> np.ndarray:
    """Returns a sound (samples, channels) as one channel at another rate, (samples,)."""
    channel = MIXES[mix]
    mono = sound.mean(axis=1) if channel is None else sound[:, channel]
    if to == STORED:
        return np.asarray(mono)
    hz, how = to.split(" Hz, ")
    return resample(mono, rate, int(hz), how)


def one_wave(mono: np.ndarray, cut: str, emphasis: str, mean: str, count: int) -> np.ndarray:
    """Returns a waveform of one channel, (count,), filled with zeros where the sound is too short."""
    first = int((len(mono) - count) * CUTS[cut]) if len(mono) > count else 0
    part = mono[first : first + count]
    part = part - part.mean() if mean == "taken off" else part
    part = np.append(part[:1], part[1:] - EMPHASES[emphasis] * part[:-1])
    return np.pad(part, (0, count - len(part)))


def spectra(files: Sequence[Path], frames: int, columns: int) -> Family:
    """Returns what is known of programs that make spectrograms (frames, columns) of these files."""
    raw = [read(path) for path in files]
    rate, shortest = raw[0][1], min(len(sound) for sound, _ in raw)
    whole = (shortest, *(round(rate * seconds) for seconds in SECONDS))
    shapes = {f"{length} samples, a step of {hop}, {edge}, of the first {count} samples": (count, length, hop, edge)
              for edge in EDGES for length in LENGTHS for count in whole for hop in hops(count, length, frames, edge)
              if length <= spectrum_size(length, columns)}  # fmt: skip
    banks = bank_names(columns)

    @lru_cache(maxsize=200)
    def spectrum(mix: str, frame: str, window: str, emphasis: str) -> np.ndarray:
        count, length, hop, edge = shapes[frame]
        heard = (one_channel(*sound, mix, STORED) for sound in raw)
        each = [one_wave(mono, "from the start", emphasis, "kept", count) for mono in heard]
        return np.stack([magnitudes(wave, length, hop, edge, WINDOWS[window], frames, columns) for wave in each])

    def render(choice: Choice) -> Rendered:
        found = spectrum(choice["channels"], choice["frames"], choice["window"], choice["pre-emphasis"])
        if (bank := banks[choice["filter bank"]]) is not None:
            low, high, of_power = bank
            matrix = mel(columns, found.shape[-1], rate, low, high)
            found = np.sqrt(np.square(found) @ matrix) if of_power else found @ matrix
        return of_range(CURVES[choice["curve"]](found)[..., np.newaxis])

    steps: dict[str, Sequence[str]] = {
        "channels": tuple(MIXES),
        "frames": tuple(shapes),
        "window": tuple(WINDOWS),
        "filter bank": tuple(banks),
        "curve": tuple(CURVES),
        "pre-emphasis": tuple(EMPHASES),
    }
    together = (
        ("frames", "curve"),
        ("channels", "window", "curve"),
        ("filter bank", "curve"),
        ("frames",),
        ("pre-emphasis",),
    )
    return Family(steps, together, render, render)


def hops(samples: int, length: int, frames: int, edge: str) -> list[int]:
    """Returns the usual steps from frame to frame that make so many frames of so many samples."""
    room = samples - length + (2 * (length // 2) if EDGES[edge] else 0)
    usual = (128, 160, 256, 320, length // 2, length // 4, length * 2 // 5)
    return sorted({hop for hop in usual if hop and room >= 0 and room // hop + 1 == frames})


def magnitudes(
    wave: np.ndarray, length: int, hop: int, edge: str, window: Callable[[int], np.ndarray], frames: int, columns: int
) -> np.ndarray:
    """Returns |STFT|, (frames, bins)."""
    if EDGES[edge] == "reflect":
        wave = np.pad(wave, length // 2, mode="reflect")
    elif EDGES[edge]:
        wave = np.pad(wave, length // 2)
    starts = np.arange(frames) * hop
    cut = wave[starts[:, np.newaxis] + np.arange(length)] * window(length)
    return np.abs(np.fft.rfft(cut, spectrum_size(length, columns)))


def spectrum_size(length: int, columns: int) -> int:
    """Returns of how many samples a spectrum is: by its columns, or of filter banks the next power of two."""
    return 2 * (columns - 1) if columns not in MELS else 1 << (length - 1).bit_length()


def bank_names(columns: int) -> dict[str, tuple[float, float, bool] | None]:
    """Returns the filter banks that may make so many columns: name → lowest and highest frequency in Hz, and whether
    power is summed, not magnitude; None: none.
    """
    if columns not in MELS:
        return {"none": None}
    ends = ((0.0, 0.0), (20.0, 0.0), (20.0, 4_000.0), (80.0, 7_600.0), (125.0, 7_500.0), (0.0, 4_000.0))
    return {
        f"mel from {low:g} Hz to {f'{high:g} Hz' if high else 'half the rate'}, {of}": (low, high, of == "of power")
        for of in ("of magnitude", "of power")
        for low, high in ends
    }


def mel(bands: int, bins: int, rate: int, low: float, high: float) -> np.ndarray:
    """Returns triangular filters on the mel scale, (bins, bands): mel = 2595 · log10(1 + f / 700) (O'Shaughnessy 1987).
    high: 0 for half the rate.
    """
    to_mel = lambda hz: 2595 * np.log10(1 + np.asarray(hz) / 700)  # noqa: E731
    edges = np.linspace(to_mel(low), to_mel(min(high or rate / 2, rate / 2)), bands + 2)
    at = to_mel(np.arange(bins) * rate / (2 * (bins - 1)))[:, np.newaxis]
    rise, fall = (at - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - at) / np.diff(edges)[1:]
    return np.asarray(np.maximum(np.minimum(rise, fall), 0))


def read(path: Path) -> tuple[np.ndarray, int]:
    """Returns a sound as float, (samples, channels), from −1 to 1, and its rate in Hz."""
    rate, stored = wavfile.read(path)
    whole = stored.dtype.kind in "iu"
    scaled = stored / np.iinfo(stored.dtype).max if whole else stored
    scaled = scaled * 2 - 1 if stored.dtype == np.uint8 else scaled
    return np.asarray(scaled, float).reshape(len(stored), -1), rate


def of_range(values: np.ndarray) -> Rendered:
    """Returns values whose range is that of these files."""
    step = (float(values.max()) - float(values.min())) / 255 or 1.0
    return Rendered(values, np.ones(values.shape[:-1], bool), step)
