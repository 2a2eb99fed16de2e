"""experiment.toml → Experiment. Paths in it are relative to the file; an unknown key or word is an error."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.build.variants import RECIPES
from harness.data.kinds import DataSource, load
from harness.detection.coco_points import read_skeleton
from harness.detection.decoders import checked
from harness.detection.points import checked_points
from harness.errors import ConfigError
from harness.experiment.plans import plan_of, precision_of
from harness.experiment.recipe_file import is_recipe_file, read_recipes
from harness.metrics import transcripts
from harness.records import (
    KERAS,
    Adjusted,
    Dataset,
    Detection,
    Experiment,
    Keypoints,
    ModelSource,
    Plan,
    Preprocessing,
    Scoring,
    Transcription,
)
from harness.records.plan import MOST_DETECTIONS
from harness.records.terms import BoxFormat, Place, PointOrder
from harness.support.foreign import read_npy
from harness.support.format import nearest
from harness.support.functions import FunctionRef, is_reference
from harness.support.toml import TomlFile, read_toml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FUNCTION_OF_PATH = 'write "package.module:function": it is given the path of a raw file, and returns one sample'
THAT_FILE = "paths are relative to that file"
USUAL = ("float32", "float16", "dynamic_range", "int8")
Numbers = float | dict[str, float]
Text = Annotated[str, Field(min_length=1)]
Size = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]  # height, width
Share = Annotated[float, Field(ge=0, le=1)]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ModelText(Table):
    source: Text


class DataText(Table):
    test: Text
    calibration: Text | None = None
    scale: Numbers = 1.0
    offset: Numbers = 0.0
    labels: list[str] = []
    size: Size | None = None
    color: Literal["rgb", "bgr", "grayscale"] | None = None
    label: Text | dict[str, Text] | None = None
    boxes: Text | None = None
    points: Text | None = None
    features: list[Text] = []
    sequence: Text | None = None
    group: Text | None = None
    query: Text | None = None
    pairs: Text | None = None


class VariantsText(Table):
    build: list[Text] | None = None
    imported: dict[str, Text] = Field(default={}, alias="import")
    baseline: Text = KERAS
    select_ops: bool = False


class MetricsText(Table):
    primary: Text | None = None
    others: list[Text] = []
    output: str = ""
    ignore: float | None = None


class DetectionText(Table):
    """How outputs become detections; see records.Detection."""

    decoder: Text = "boxes"
    boxes: str = ""
    scores: str = ""
    classes: str = ""
    count: str = ""
    format: BoxFormat = "xyxy"
    normalised: bool = True
    size: Size | None = None
    columns: bool = False
    objectness: bool = False
    logits: bool = False
    background: bool = False
    every_class: bool = False
    anchors: Text | None = None
    score_threshold: Share = 0.0
    iou_threshold: Share | None = None
    max_detections: Annotated[int, Field(ge=1, le=MOST_DETECTIONS)] = 100
    answer_score: Share = 0.5
    label_format: BoxFormat | None = None
    label_normalised: bool | None = None


class KeypointsText(Table):
    """How the scored output becomes points; see records.Keypoints."""

    size: Size
    decoder: Text = "points"
    order: PointOrder = "xy"
    normalised: bool = True
    label_normalised: bool = True
    sigmas: list[float] = []
    area: float | None = None
    right_within: float = 0.2
    skeleton: list[tuple[int, int]] | None = None


class TranscriptionText(Table):
    """How an output becomes text; see records.Transcription."""

    alphabet: str | list[Text] = ""
    blank: Place = "last"
    decoder: Text = "greedy"


class HeadText(Table):
    """What [heads.NAME] says of one output; its further tables are as those of the scored one."""

    primary: Text | None = None
    others: list[Text] = []
    labels: list[str] = []
    ignore: float | None = None
    detection: DetectionText | None = None
    keypoints: KeypointsText | None = None
    transcription: TranscriptionText | None = None


class PlanText(Table):
    profile: Literal["none", "quick", "standard", "strict"] = "standard"
    rounds: Annotated[int, Field(ge=0)] | None = None
    min_runs: Annotated[int, Field(ge=1)] | None = None
    min_s: Annotated[float, Field(ge=0)] | None = None
    warmup_s: Annotated[float, Field(ge=0)] | None = None
    precision: Text | None = None


class PreprocessingText(Table):
    training: Text
    device: Text
    files: Text


class ExperimentText(Table):
    """What an experiment.toml may hold."""

    name: Text
    model: ModelText | None = None
    data: DataText
    variants: VariantsText = VariantsText()
    metrics: MetricsText = MetricsText()
    heads: dict[str, HeadText] = {}
    detection: DetectionText | None = None
    keypoints: KeypointsText | None = None
    transcription: TranscriptionText | None = None
    state: dict[Text, Text] = {}
    plan: PlanText = PlanText()
    preprocessing: PreprocessingText | None = None


def read_experiment(path: Path, plan: Plan | None = None, fresh: bool = False) -> Experiment:
    """Reads an experiment. plan: in place of the file's; fresh: read its data again, too.

    Raises ConfigError.
    """
    file, folder = read_toml(path, ExperimentText), path.parent.resolve()
    written = file.content
    check_name(written.name, file.where(key="name", with_key=False))
    check_labels(file)
    check_objects(file)
    names, recipes, adjusted = recipes_of(file, folder)
    imported = file.where("variants", "import")
    imports = {name: existing(folder, text, imported) for name, text in written.variants.imported.items()}
    experiment = Experiment(
        name=written.name,
        load=partial(load, data_of(written, folder), fresh=fresh),
        load_with=partial(load_with, data_of(written, folder)),
        model=model_of(file, folder),
        variants=names,
        plan=plan or plan_of(**written.plan.model_dump() | {"precision": precision_of(written.plan.precision)}),
        recipes=recipes,
        adjusted=adjusted,
        imports=imports,
        baseline=written.variants.baseline,
        scoring=scoring_of(file, folder),
        heads={name: head_of(file, name, of, folder) for name, of in written.heads.items()},
        state=written.state,
        select_ops=written.variants.select_ops,
        uncalibrated=uncalibrated(written),
        preprocessing=preprocessing_of(file, folder),
    )
    check_baseline(experiment, file)
    return experiment


def scoring_of(file: TomlFile[ExperimentText], folder: Path) -> Scoring:
    metrics = file.content.metrics
    scoring = Scoring(metrics.primary, tuple(metrics.others), metrics.output, folder, ignore=metrics.ignore)
    return decoded(file, "", file.content, scoring)


def head_of(file: TomlFile[ExperimentText], name: str, written: HeadText, folder: Path) -> Scoring:
    scoring = Scoring(written.primary, tuple(written.others), name, folder, ignore=written.ignore)
    return decoded(file, f"heads.{name}.", written, scoring)


def decoded(
    file: TomlFile[ExperimentText], table: str, written: ExperimentText | HeadText, scoring: Scoring
) -> Scoring:
    """Returns the scoring with how the output becomes boxes, points or texts. table: what its tables'
    names begin with. Raises ConfigError where labels would be of several of these.
    """
    found = [name for name in ("detection", "keypoints", "transcription") if getattr(written, name)]
    if len(found) > 1:
        told = f"{file.where(table + found[0])} there is [{table + found[1]}], too"
        raise ConfigError(f"{told}: labels are boxes, points or texts", "keep the one that the labels are of")
    if written.transcription:
        said = transcription_of(written.transcription, scoring.folder, file.where(f"{table}transcription"))
        return replace(scoring, transcription=said)
    if written.keypoints:
        return replace(scoring, keypoints=keypoints_of(written.keypoints, scoring.folder, f"{table}keypoints", file))
    if not (detection := written.detection):
        return scoring
    where = file.where(f"{table}detection")
    if not table and file.content.data.boxes and (detection.label_format or detection.label_normalised is not None):
        advice = "remove label_format and label_normalised"
        raise ConfigError(f"{where} the form of [data] boxes is known", advice)
    return replace(scoring, detection=detection_of(detection, scoring.folder, where))


def keypoints_of(written: KeypointsText, folder: Path, table: str, file: TomlFile[ExperimentText]) -> Keypoints:
    """Returns how an output becomes points. table: says so. Raises ConfigError."""
    if file.content.data.points and not written.label_normalised:
        where, advice = file.where(table), "remove label_normalised"
        raise ConfigError(f"{where} the form of [data] points is known: it has the size of each image", advice)
    said = written.model_dump(exclude={"size", "sigmas", "skeleton"})
    height, width = written.size
    lines = read_skeleton(folder / file.content.data.points) if file.content.data.points else ()
    lines = lines if written.skeleton is None else tuple(written.skeleton)
    how = Keypoints((height, width), sigmas=tuple(written.sigmas), skeleton=lines, folder=folder, **said)
    return checked_points(how, file.where(table))


def transcription_of(written: TranscriptionText, folder: Path, where: str) -> Transcription:
    """Returns how an output becomes text. where: it is said, for messages. Raises ConfigError."""
    said = Transcription(tuple(written.alphabet), written.blank, written.decoder, folder)
    return transcripts.checked(said, where)


def detection_of(written: DetectionText, folder: Path, where: str) -> Detection:
    """Returns how outputs become detections. where: it is said, for messages. Raises ConfigError where one thing
    that is said forbids another.
    """
    said = written.model_dump(exclude={"format", "size", "anchors", "label_format", "label_normalised"})
    anchors = anchors_of(existing(folder, written.anchors, f"{where} anchors")) if written.anchors else ()
    detection = Detection(
        **said,
        form=written.format,
        size=(written.size[0], written.size[1]) if written.size else None,
        anchors=anchors,
        label_form=written.label_format or "xyxy",
        label_normalised=written.label_normalised is not False,
        folder=folder,
    )
    return checked(detection, where)


def anchors_of(path: Path) -> tuple[tuple[float, float, float, float], ...]:
    """Reads anchors, an .npy file of (boxes, 4). Raises ConfigError."""
    try:
        rows = read_npy(path).astype(float).reshape(-1, 4)
    except (OSError, ValueError) as error:
        advice = "store one row cy, cx, h, w a box as an .npy file"
        raise ConfigError(f"{path} holds no anchors: {error}", advice) from error
    return tuple((row[0], row[1], row[2], row[3]) for row in rows.tolist())


def check_name(name: str, where: str) -> None:
    """Raises ConfigError where it cannot name a folder. where: the name stands, for the message."""
    if not NAME.fullmatch(name):
        advice = "letters, digits, dot, dash and underscore, at most 64: it names a folder"
        raise ConfigError(f"{where} {name!r} cannot be used as a name", advice)


def check_objects(file: TomlFile[ExperimentText]) -> None:
    """Raises ConfigError where a file says where objects are, and nothing says what they are."""
    data, way = file.content.data, {"boxes": "detection", "points": "keypoints"}
    for option, table in way.items():
        if getattr(data, option) and not getattr(file.content, table):
            advice = f"add the table [{table}], which says how the model's outputs become {option}"
            raise ConfigError(f"{file.where('data', option)} names labels, and there is no [{table}]", advice)


def check_labels(file: TomlFile[ExperimentText]) -> None:
    """Raises ConfigError where two classes have one name."""
    each = {"data": file.content.data.labels} | {f"heads.{name}": of.labels for name, of in file.content.heads.items()}
    for (table, labels), n in ((item, n) for item in each.items() for n in range(len(item[1]))):
        name = labels[n]
        if (first := labels.index(name)) < n:
            where = file.where("data", "labels") if table == "data" else f"{file.source}: [{table}] labels"
            message = f"{where}: classes {first} and {n} are both called {name!r}"
            raise ConfigError(message, "give each class a name of its own, in the order of the model's outputs")


def data_of(written: ExperimentText, folder: Path) -> DataSource:
    data = written.data
    return DataSource(
        name=written.name,
        test=data.test,
        calibration=data.calibration,
        folder=folder,
        scale=data.scale,
        offset=data.offset,
        labels=tuple(data.labels),
        labels_by_output={name: tuple(head.labels) for name, head in written.heads.items() if head.labels},
        size=(data.size[0], data.size[1]) if data.size else None,
        color=data.color,
        label=data.label,
        boxes=data.boxes,
        points=data.points,
        features=tuple(data.features),
        output=written.metrics.output or (written.detection.boxes if written.detection else ""),
        sequence=data.sequence,
        group=data.group,
        query=data.query,
        pairs=data.pairs,
    )


def load_with(source: DataSource, calibration: Path) -> Dataset:
    """Loads the data with other samples to calibrate with. Raises DataError, ConfigError."""
    return load(replace(source, calibration=str(calibration)))


def model_of(file: TomlFile[ExperimentText], folder: Path) -> ModelSource | None:
    """Returns the model's source; None where there is no Keras model, only imported files."""
    if file.content.model is None:
        return None
    where = file.where("model", "source")
    return keras_model(file.content.model.source, folder, where)


def keras_model(source: str, folder: Path, where: str, relative: str = THAT_FILE) -> ModelSource:
    """Returns the source of a model that is named by its path, relative to the folder, or as "package.module:function".

    where: for messages, what the user wrote it as. relative: what a path is relative to, for advice. Raises
    ConfigError.
    """
    if is_reference(source):
        return ModelSource("function", source, folder)
    place = existing(folder, source, where, relative)
    if place.is_dir():
        return ModelSource("saved_model", str(place))
    if place.suffix not in (".keras", ".h5", ".hdf5"):
        advice = 'give a .keras or .h5 file, a SavedModel folder or "package.module:function"'
        if place.suffix == ".tflite":
            advice += '; a .tflite file goes under [variants], as import = { name = "file.tflite" }'
        raise ConfigError(f"{where}: {source} is not a Keras model", advice)
    return ModelSource("file", str(place))


def recipes_of(
    file: TomlFile[ExperimentText], folder: Path
) -> tuple[tuple[str, ...], dict[str, FunctionRef], dict[str, Adjusted]]:
    """Returns the names of the variants to build, and which of them are recipes and recipe files of the user's."""
    written, where = file.content, file.where("variants", "build")
    asked = written.variants.build
    if asked is None:
        asked = list(usual(bool(written.data.calibration))) if written.model else []
    files = [existing(folder, text, where) for text in asked if is_recipe_file(text)]
    adjusted = read_recipes(files)
    own = {ref.name: ref for text in asked if is_reference(text) for ref in [FunctionRef(text, folder)]}
    names = [name_of(text) for text in asked]
    for name in names:
        if name not in RECIPES and name not in own and name not in adjusted:
            raise ConfigError(f"{where}: there is no variant {name!r}", nearest(name, RECIPES, "the variants are"))
    every = [*names, *written.variants.imported]
    for name in every:
        if every.count(name) > 1 or name == KERAS or not NAME.fullmatch(name):
            problem = "cannot be used as a name" if not NAME.fullmatch(name) else "is taken"
            raise ConfigError(f"{file.where('variants')} {name!r} {problem}", "give each variant a name of its own")
    return tuple(names), own, adjusted


def name_of(variant: str) -> str:
    """Returns the name of a variant that is written as a recipe's name, a function of the user's or a recipe file."""
    if is_recipe_file(variant):
        return Path(variant).stem
    return variant.partition(":")[2] if is_reference(variant) else variant


def preprocessing_of(file: TomlFile[ExperimentText], folder: Path) -> Preprocessing | None:
    """Returns the two programs; None where there are none. Raises ConfigError."""
    if (written := file.content.preprocessing) is None:
        return None
    for name, text in (("training", written.training), ("device", written.device)):
        if not is_reference(text):
            raise ConfigError(f"{file.where('preprocessing', name)}: {text!r} is no function", FUNCTION_OF_PATH)
    files = existing(folder, written.files, file.where("preprocessing", "files"))
    labels = tuple(file.content.data.labels)
    programs = FunctionRef(written.training, folder), FunctionRef(written.device, folder)
    return Preprocessing(*programs, files, labels, of_clips=bool(file.content.data.sequence))


def usual(calibrated: bool) -> tuple[str, ...]:
    """Returns the recipes that are built where none is named.
    calibrated: whether there are samples to calibrate with.
    """
    return tuple(name for name in USUAL if calibrated or not RECIPES[name].calibrated)


def uncalibrated(written: ExperimentText) -> tuple[str, ...]:
    """Returns the usual recipes that are not built for want of calibration samples."""
    if written.model is None or written.variants.build is not None or written.data.calibration:
        return ()
    return tuple(name for name in USUAL if name not in usual(calibrated=False))


def check_baseline(experiment: Experiment, file: TomlFile[ExperimentText]) -> None:
    """Raises ConfigError unless there is a baseline and something to compare with it."""
    path = file.source
    if experiment.model is None and experiment.variants:
        advice = "write [model] source, or import .tflite files alone"
        raise ConfigError(f"{path}: there is no Keras model to build {experiment.variants[0]} from", advice)
    if not experiment.variants and not experiment.imports:
        raise ConfigError(f"{path}: [variants] names nothing to test", 'write build = ["float32", "int8"]')
    if experiment.model is None and experiment.baseline not in experiment.imports:
        advice = f"write [variants] baseline = one of {', '.join(experiment.imports)}"
        raise ConfigError(f"{path}: without a Keras model a variant must be the baseline", advice)
    if experiment.model is not None and experiment.baseline != KERAS:
        raise ConfigError(f"{path}: the Keras model is the baseline", "remove [variants] baseline")


def existing(folder: Path, written: str, where: str, relative: str = THAT_FILE) -> Path:
    """Returns the path. Raises ConfigError, whose message begins with `where`, if there is no such file."""
    place = (folder / Path(written).expanduser()).resolve()
    if not place.exists():
        raise ConfigError(f"{where}: there is no {written} in {folder}", relative)
    return place
