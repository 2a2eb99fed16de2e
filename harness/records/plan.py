"""What is to be measured, where and how often, and how outputs are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.device.engines import ENGINES, SIMULATED
from harness.records.terms import Better, BoxFormat, Place, PointOrder, Task

MOST_DETECTIONS = 1_000  # of a picture
RESTLESS_RATIO = 1.05  # on a quiet machine 1 round of .05 s in 40 exceeds it, its median too high by as much


@dataclass(frozen=True)
class Target:
    """A device as its TOML file describes it."""

    name: str
    kind: str = "local"
    host: str | None = None  # any name that the user's ssh_config knows
    ssh_config: str | None = None
    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    workdir: str = "~/.cache/edge-harness"
    runtimes: tuple[str, ...] = tuple(name for name in ENGINES if name not in SIMULATED)
    threads: tuple[int, ...] = (1,)
    start_temperature_c: float = 60.0
    cooldown_timeout_s: float = 120.0
    emulated: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Case:
    """The key of everything measured, in every record and table."""

    variant: str
    target: str
    runtime: str  # the engine under its full name, such as ai-edge-litert@2.1.6:reference
    threads: int


@dataclass(frozen=True)
class Plan:
    """How often and how long a latency is timed."""

    profile: str
    rounds: int  # 0 measures accuracy alone
    min_runs: int  # timed invokes a round, at least
    min_s: float  # timed seconds a round, at least
    warmup_s: float = 0.2
    warmup_runs: int = 10
    max_runs: int = 20_000  # timings a round: what a run keeps stays small
    seed: int = 20_231
    restless_ratio: float | None = (
        None  # a round whose median / lowest tenth is over it is timed once more; None: never
    )
    until_decided: bool = False  # each case is asked no further samples once the rules on its answers are decided
    precision: float | None = None  # half-width of a ratio, as a share of it, that further rounds are timed for
    max_rounds: int = 200  # of a case then, the first `rounds` among them
    accuracy: bool = True  # False where a reference is timed again beside a candidate: its answers are known

    @property
    def first_stage(self) -> int | None:
        """Rounds under this index are of the first of two stages; None where there is one stage."""
        return None if self.precision is None else self.rounds


@dataclass(frozen=True)
class Declared:
    """What a user's metric declares of itself."""

    reference: str  # "package.module:function"
    name: str
    unit: str
    better: Better


@dataclass(frozen=True)
class Detection:
    """How outputs become detections, and what labels are: [detection] of an experiment.toml."""

    decoder: str = "boxes"  # boxes, postprocess, ssd, yolo, or a user's "package.module:function"
    boxes: str = ""  # the output that holds them, by its name; of yolo everything
    scores: str = ""
    classes: str = ""
    count: str = ""  # how many rows of the others hold something
    form: BoxFormat = "xyxy"
    normalised: bool = True  # boxes are shares of the picture's width and height, not pixels
    size: tuple[int, int] | None = None  # (height, width) of the picture that pixels are of; None: all are shares
    columns: bool = False  # of yolo: boxes are columns, not rows
    objectness: bool = False  # of yolo: a score of the box stands before those of the classes
    logits: bool = False  # scores go through a sigmoid
    background: bool = False  # class 0 of the scores is none
    every_class: bool = False  # each class of a box over the threshold is a detection, not the best alone
    anchors: tuple[tuple[float, float, float, float], ...] = ()  # of ssd: cy, cx, h, w, in shares of the picture
    score_threshold: float = 0.0  # detections under it are left out
    iou_threshold: float | None = None  # of those of one class that overlap more, the best is kept; None: all are
    max_detections: int = 100  # of a picture
    answer_score: float = 0.5  # the least of those that are shown, and held against Keras'
    label_form: BoxFormat = "xyxy"
    label_normalised: bool = True
    folder: Path = Path()  # where a user's module is looked for

    @property
    def reads(self) -> tuple[str, ...]:
        """The outputs that are named."""
        return tuple(filter(None, (self.boxes, self.scores, self.classes, self.count)))


@dataclass(frozen=True)
class Keypoints:
    """How the scored output becomes points, and what labels are: [keypoints] of an experiment.toml."""

    size: tuple[int, int]  # (height, width) of the picture as the model takes it: points are compared in its pixels
    decoder: str = "points"  # points, argmax, quarter, or a user's "package.module:function"
    order: PointOrder = "xy"  # of the decoder points
    normalised: bool = True  # of the decoder points: they are shares of the picture's width and height, not pixels
    label_normalised: bool = True
    sigmas: tuple[float, ...] = ()  # of OKS: one a point, or one for all; () for COCO's of 17 points
    area: float | None = None  # of every object, pixels², where labels do not say it; None: the box of its points
    right_within: float = 0.2  # of √area: a point that is nearer to its label is right
    skeleton: tuple[tuple[int, int], ...] = ()  # lines between two points each, counted from 0, that pictures show
    folder: Path = Path()  # where a user's module is looked for


TEXT_DECODERS = ("greedy",)  # metrics/transcripts.py has them; named here for those who load no numpy


@dataclass(frozen=True)
class Transcription:
    """How an output for each step of time becomes text: [transcription] of an experiment.toml."""

    alphabet: tuple[str, ...] = ()  # the text of each class but the blank, in the order of the output
    blank: Place = "last"  # which class it is
    decoder: str = "greedy"  # or a user's "package.module:function"
    folder: Path = Path()  # where a user's module is looked for


@dataclass(frozen=True)
class Scoring:
    """How outputs are scored. None and () leave it to the data: accuracy for classes, RMSE for numbers, agreement."""

    primary: str | None = None  # the name of a metric, or a user's "package.module:function"
    others: tuple[str, ...] = ()  # further ones
    output: str = ""  # the name of the model's output that is scored; "": the first
    folder: Path = Path()  # where a user's module is looked for
    declared: tuple[Declared, ...] = ()  # kept with the run: the user's functions may be gone later
    detection: Detection | None = None  # where the model finds objects
    keypoints: Keypoints | None = None  # where it finds the points of one
    transcription: Transcription | None = None  # where it writes text
    ignore: float | None = None  # the label of pixels, frames or numbers that have none; None where each has one
    holes: bool = False  # labels are numbers, of which some are not known: these are NaN, whatever stood for them
    trusted: bool = True  # whether these functions may be called; never stored, so no run says it of itself

    @property
    def calls(self) -> bool:
        """Whether it names functions of a user's."""
        return bool(self.declared or self.own_decoders)

    @property
    def own_decoders(self) -> tuple[tuple[str, Path], ...]:
        """The functions of the user's that make answers of outputs, each with its folder."""
        ways = (self.detection, self.keypoints, self.transcription)
        return tuple((how.decoder, how.folder) for how in ways if how is not None and ":" in how.decoder)


BY_DATA = Scoring()


@dataclass(frozen=True)
class Head:
    """An output beside the scored one that has labels of its own, and is judged by them. scoring.output: its name."""

    task: Task
    class_names: tuple[str, ...]
    scoring: Scoring
