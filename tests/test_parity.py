"""Programs that differ in a step that is known, made with Pillow, NumPy and SciPy: the step is named, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy import signal
from scipy.io import wavfile

from harness.build.preparation_cost import cost_of
from harness.data.preprocessing.parity import Parity, parity
from harness.data.preprocessing.programs import raw_files
from harness.errors import ConfigError
from harness.experiment.experiment_file import read_experiment
from harness.support.cache import Cache
from tests.conftest import Call

SIZE = 32
Program = Callable[[Path], np.ndarray]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve smooth colour pictures with edges in them, of several sizes; two have an EXIF orientation."""
    folder, rng, made = tmp_path_factory.mktemp("pictures"), np.random.default_rng(5), []
    for n in range(12):
        h, w = rng.integers(60, 120, 2)
        y, x = np.mgrid[0:h, 0:w]
        waves = [128 + 60 * np.sin(x / rng.uniform(3, 20) + k) * np.cos(y / rng.uniform(3, 20)) for k in range(3)]
        image = np.stack(waves, -1) + 60 * ((x - w / 3) ** 2 + (y - h / 2) ** 2 < (h / 4) ** 2)[..., np.newaxis]
        noisy = np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)
        exif = Image.Exif()
        if n in (3, 7):
            exif[0x0112] = 6
        made.append(folder / f"{n:02}.png")
        Image.fromarray(noisy).save(made[-1], exif=exif)
    return made


def resized(path: Path, how: Image.Resampling = Image.Resampling.BILINEAR) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE), how), np.float32)


def training(path: Path) -> np.ndarray:
    return resized(path) / 255


def sampled(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    whole = (0, 0, image.width, image.height)
    bands = [
        band.convert("F").transform((SIZE, SIZE), Image.Transform.EXTENT, whole, Image.Resampling.BILINEAR)
        for band in image.split()
    ]
    return np.stack([np.asarray(band) for band in bands], -1) / 255


def upright(path: Path) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32) / 255


def fitted(path: Path) -> np.ndarray:
    image = ImageOps.fit(Image.open(path).convert("RGB"), (SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) / 255


def bordered(path: Path) -> np.ndarray:
    image = ImageOps.pad(Image.open(path).convert("RGB"), (SIZE, SIZE), Image.Resampling.BILINEAR, color=(114,) * 3)
    return np.asarray(image, np.float32) / 255


def shorter_side(path: Path, side: int = round(SIZE * 256 / 224)) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    scale = side / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    return np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32) / 255


def grey(path: Path) -> np.ndarray:
    luma = Image.open(path).convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(luma, np.float32)[..., np.newaxis], 3, axis=-1) / 255


def standardised(path: Path) -> np.ndarray:
    values = training(path)
    return (values - values.mean()) / values.std()


PLANTED: dict[str, tuple[Program, dict[str, str]]] = {
    "nearest": (lambda p: resized(p, Image.Resampling.NEAREST) / 255, {"resizing": "nearest pixel"}),
    "bicubic": (lambda p: resized(p, Image.Resampling.BICUBIC) / 255, {"resizing": "bicubic, antialiased"}),
    "area": (lambda p: resized(p, Image.Resampling.BOX) / 255, {"resizing": "mean of the area"}),
    "antialiasing": (sampled, {"resizing": "bilinear, not antialiased"}),
    "channels": (lambda p: training(p)[..., ::-1], {"channels": "BGR"}),
    "grey": (grey, {"channels": "grey by luma (0.299, 0.587, 0.114), three times"}),
    "no scaling": (resized, {"scale of values": "as it is"}),
    "-1 to 1": (lambda p: training(p) * 2 - 1, {"scale of values": "÷ 127.5 − 1"}),
    "each by itself": (standardised, {"scale of values": "each file by numbers of its own"}),
    "EXIF": (upright, {"EXIF orientation": "applied"}),
    "crop": (fitted, {"fit": "cut to the aspect at the centre"}),
    "border": (bordered, {"fit": "the aspect kept, a border on both sides"}),
    "shorter side": (shorter_side, {"fit": "the shorter side to 37 pixels, then cut at the centre"}),
    "mirror": (lambda p: training(p)[:, ::-1], {"direction": "mirrored"}),
    "gamma": (lambda p: training(p) ** 2.2, {"tone": "a gamma of 2.2"}),
    "axes": (lambda p: training(p).transpose(2, 0, 1), {"order of the axes": "3 × 32 × 32"}),
    "two at once": (
        lambda p: resized(p, Image.Resampling.NEAREST)[..., ::-1] / 255,
        {"resizing": "nearest pixel", "channels": "BGR"},
    ),
}


def held(files: list[Path], one: Program, other: Program) -> Parity:
    return parity(files, *(np.stack([program(path) for path in files]) for program in (one, other)))


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_in_pictures_is_named_and_no_other(planted: str, pictures: list[Path]) -> None:
    device, wanted = PLANTED[planted]
    found = held(pictures, training, device)
    assert {d.step: d.device for d in found.differences} == wanted
    assert not found.agrees


def test_only_files_with_a_tag_differ_by_it(pictures: list[Path]) -> None:
    assert held(pictures, training, upright).apart == (3, 7)


@pytest.mark.parametrize(
    "device",
    [
        training,
        lambda p: np.floor(training(p) * 255) / 255,
        lambda p: (training(p) + np.random.default_rng(1).uniform(-0.5, 0.5, (SIZE, SIZE, 3)) / 255).astype(np.float32),
    ],
    ids=["equal", "cut to 8 bits", "half a step of noise"],
)
def test_programs_that_differ_by_rounding_agree(device: Program, pictures: list[Path]) -> None:
    found = held(pictures, training, device)
    assert found.agrees and not found.differences


def test_what_no_known_step_explains_is_said(pictures: list[Path]) -> None:
    """Rings around the centre, which no program of pictures makes."""
    rings = np.hypot(*np.mgrid[-16:16, -16:16])[..., np.newaxis]
    found = held(pictures, training, lambda p: training(p) * np.sin(rings))
    assert not found.agrees and "do not explain the device's" in found.why


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight stereo sounds of 1.2 s at 24 kHz, tones that rise over noise."""
    folder, rng, made = tmp_path_factory.mktemp("sounds"), np.random.default_rng(2), []
    t = np.arange(28_800) / 24_000
    for n in range(8):
        tones = sum(rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * f * t * (1 + t / 9)) for f in rng.uniform(90, 6_000, 5))
        left = tones * np.exp(-((t - rng.uniform(0.2, 1)) ** 2) * 4)
        both = np.stack([left, 0.3 * left + rng.normal(0, 0.05, len(t)) + 0.05], axis=1)
        made.append(folder / f"{n}.wav")
        wavfile.write(made[-1], 24_000, (both / np.abs(both).max() * 29_000).astype(np.int16))
    return made


def heard(path: Path, channel: int | None = None) -> np.ndarray:
    stored = wavfile.read(path)[1].astype(np.float32) / 32_768
    return stored.mean(axis=1) if channel is None else stored[:, channel]


def wave(path: Path) -> np.ndarray:
    return signal.resample_poly(heard(path), 2, 3)[:8_000]


def spectrogram(path: Path, window: str = "hann", power: int = 2, channel: int | None = None) -> np.ndarray:
    sound = heard(path, channel)[:24_000]
    cut = np.lib.stride_tricks.sliding_window_view(sound, 400)[::160] * signal.get_window(window, 400)
    return np.asarray(np.log(np.abs(np.fft.rfft(cut, 512)) ** power + 1e-6), np.float32)


WAVES: dict[str, tuple[Program, dict[str, str]]] = {
    "left": (
        lambda p: signal.resample_poly(heard(p, 0), 2, 3)[:8_000],
        {"channels": "the left channel"},
    ),
    "no rate": (lambda p: heard(p)[:8_000], {"rate": "as it is stored"}),
    "no filter": (
        lambda p: heard(p)[(np.arange(8_000) * 1.5).astype(int)],
        {"rate": "16000 Hz, by leaving samples out"},
    ),
    "int16": (lambda p: wave(p) * 32_768, {"scale of values": "× 3.277e+04"}),
    "peak": (lambda p: wave(p) / np.abs(wave(p)).max(), {"scale of values": "each file by numbers of its own"}),
    "emphasis": (lambda p: np.append(wave(p)[:1], wave(p)[1:] - 0.97 * wave(p)[:-1]), {"pre-emphasis": "0.97"}),
}
SPECTRA: dict[str, tuple[Program, dict[str, str]]] = {
    "window": (lambda p: spectrogram(p, "hamming"), {"window": "Hamming"}),
    "curve": (lambda p: np.exp(spectrogram(p)), {"curve": "power"}),
    "base": (lambda p: spectrogram(p) / np.log(10), {"scale of values": "÷ 2.303"}),
    "right": (lambda p: spectrogram(p, channel=1), {"channels": "the right channel"}),
}


@pytest.mark.parametrize("planted", WAVES)
def test_a_planted_difference_in_waveforms_is_named(planted: str, sounds: list[Path]) -> None:
    device, wanted = WAVES[planted]
    assert {d.step: d.device for d in held(sounds, wave, device).differences} == wanted


@pytest.mark.parametrize("planted", SPECTRA)
def test_a_planted_difference_in_spectrograms_is_named(planted: str, sounds: list[Path]) -> None:
    device, wanted = SPECTRA[planted]
    assert {d.step: d.device for d in held(sounds, spectrogram, device).differences} == wanted


def test_what_is_constant_in_training_is_not_equal_to_another_constant(pictures: list[Path]) -> None:
    """A program that forgets to fill its buffer, as training's, has no range to measure by."""
    nothing = held(pictures, lambda p: np.zeros((4, 4, 3)), lambda p: np.full((4, 4, 3), 0.5))
    assert not nothing.agrees


def test_one_odd_file_does_not_hide_what_the_others_show(pictures: list[Path]) -> None:
    odd = {pictures[0]: 1e6}
    found = held(pictures, lambda p: training(p) * odd.get(p, 1), lambda p: training(p)[..., ::-1] * odd.get(p, 1))
    assert len(found.apart) == len(pictures)


@pytest.mark.parametrize(
    ("folders", "labels", "wanted"),
    [
        (("dog", "cat"), (), {"cat": 0, "dog": 1}),
        (("dog", "cat"), ("dog", "cat"), {"cat": 1, "dog": 0}),
        (("0", "2", "10"), (), {"0": 0, "2": 2, "10": 10}),  # by their names 10 would stand before 2
    ],
)
def test_classes_are_numbered_as_the_models_outputs_are(
    folders: tuple[str, ...], labels: tuple[str, ...], wanted: dict[str, int], tmp_path: Path
) -> None:
    for name in folders:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    files, classes, _ = raw_files(tmp_path, labels)
    assert {path.parent.name: int(n) for path, n in zip(files, classes, strict=True)} == wanted


def test_a_cost_that_is_not_known_hides_no_difference(harness: Call, pictures: list[Path], tmp_path: Path) -> None:
    """The model is not there: the difference is told, and why its cost is not."""
    (tmp_path / "two.py").write_text(
        "import numpy as np\nfrom PIL import Image\n"
        "def training(p):\n    image = Image.open(p).convert('RGB').resize((32, 32), Image.Resampling.BILINEAR)\n"
        "    return np.asarray(image, float)\n"
        "def device(p): return training(p)[..., ::-1]\ndef model(): raise RuntimeError('no such model')\n"
        "def test(): return np.zeros((2, 32, 32, 3))\n"
    )
    (tmp_path / "experiment.toml").write_text(
        'name = "two"\n[model]\nsource = "two:model"\n[data]\ntest = "two:test"\n'
        f'[preprocessing]\ntraining = "two:training"\ndevice = "two:device"\nfiles = "{pictures[0].parent}"\n'
        '[detection]\nboxes = "boxes"\nscores = "scores"\n'
    )
    code, out, _ = harness("parity", str(tmp_path / "experiment.toml"))
    assert code == 1 and "channels: training: RGB; the device: BGR" in out and "what it costs is not known" in out


@pytest.mark.parametrize("state", ["", '[state]\nout = "in"\n'])
def test_the_cost_for_a_stream_is_refused_with_a_way_out(tmp_path: Path, state: str) -> None:
    """A raw file does not say of which clip it is, so the model's state would be that of a first sample."""
    (tmp_path / "raw").mkdir()
    toml = 'name = "e"\n[model]\nsource = "m:m"\n[data]\ntest = "t.npz"\nsequence = "clip"\n'
    toml += '[preprocessing]\ntraining = "m:a"\ndevice = "m:b"\nfiles = "raw"\n' + state
    (tmp_path / "experiment.toml").write_text(toml)
    experiment, made = read_experiment(tmp_path / "experiment.toml"), np.zeros((4, 3), np.float32)
    with pytest.raises(ConfigError, match="the cost for a stream is not measured") as refused:
        cost_of(experiment, made, made, None, (), Cache(tmp_path / "cache"), print)
    assert "compare two runs" in refused.value.advice
