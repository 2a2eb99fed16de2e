"""Experiments on digits whose int8 file is broken in one way that is known, and what is known to cure it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.workloads import digits

POLICY = '[[rule]]\nmetric = "accuracy_drop"\nmax = "3pp"\nvariant = "!float32"\n'
TOML = """
name = "{name}"
[model]
source = "{model}.keras"
[data]
test = "test.npz"
calibration = "{calibration}.npz"
[variants]
build = {build}
"""
CALIBRATED = 'recipe = "int8"\n[calibration]\ndata = "{data}.npz"\n'
OTHER_SETS = ("narrow", "one_class")
EXPERIMENTS = {  # name → (model, calibration, variants)
    "plain": ("plain", "train", ["float32", "float16", "int8", *(f"{name}.toml" for name in OTHER_SETS)]),
    "outlier": ("plain", "outlier", ["float32", "int8"]),
    "wild": ("wild", "train", ["float32", "int8"]),
    "residual": ("residual", "train", ["float32", "int8"]),
}


def write_all(folder: Path) -> None:
    """Writes models, data, a policy, and the experiments: EXPERIMENTS, as NAME.experiment.toml."""
    write_samples(folder)
    (folder / "policy.toml").write_text(POLICY)
    for name in OTHER_SETS:
        (folder / f"{name}.toml").write_text(CALIBRATED.format(data=name))
    for name, (model, calibration, build) in EXPERIMENTS.items():
        text = TOML.format(name=name, model=model, calibration=calibration, build=json.dumps(build))
        (folder / f"{name}.experiment.toml").write_text(text)


def write_samples(folder: Path) -> None:
    """float32 samples, so that a calibration set can be scaled wrongly."""
    data = digits.load()
    train, labels = data.train_inputs[0].astype(np.float32) / 255, np.asarray(data.train_labels)
    test = np.concatenate([data.test_inputs[0].astype(np.float32) / 255, train[:400]])
    np.savez(folder / "test.npz", x=test, y=np.concatenate([np.asarray(data.test_labels), labels[:400]]))
    train, labels = train[400:], labels[400:]
    outlier = train.copy()
    outlier[:: len(train) // 3] *= 60
    sets = {
        "train": (train, labels),
        "outlier": (outlier, labels),
        "narrow": (train * 0.08, labels),
        "one_class": (train[labels == 1] * 0.5, labels[labels == 1]),
    }
    for name, (x, y) in sets.items():
        np.savez(folder / f"{name}.npz", x=x, y=y)


def save_models(folder: Path) -> None:
    """Trains and saves them; TensorFlow is needed."""
    for name, model in trained().items():
        model.save(folder / f"{name}.keras")


def trained() -> dict[str, Any]:
    """A plain model, and two that answer nearly the same and quantise badly by what is in them."""
    import keras

    data = digits.load()
    images, labels = data.train_inputs[0].astype(np.float32) / 255, np.asarray(data.train_labels)
    keras.utils.set_random_seed(1)
    plain = keras.Sequential(
        [
            keras.Input((28, 28), name="images"),
            keras.layers.Flatten(),
            keras.layers.Dense(24, activation="relu", name="hidden"),
            keras.layers.Dense(16, activation="relu", name="middle"),
            keras.layers.Dense(10, activation="softmax", name="scores"),
        ]
    )
    plain.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    plain.fit(images, labels, epochs=12, batch_size=64, verbose=0)
    return {"plain": plain, "wild": with_wild_channels(plain), "residual": with_large_residual(plain)}


def with_wild_channels(plain: Any) -> Any:
    """The same function: the channels of a layer are of very different size, which the next layer undoes."""
    import keras

    wild = keras.models.clone_model(plain)
    weights = [array.copy() for array in plain.get_weights()]
    gains = np.geomspace(1, 3_000, weights[0].shape[1]).astype(np.float32)
    weights[0], weights[1], weights[2] = weights[0] * gains, weights[1] * gains, weights[2] / gains[:, None]
    wild.set_weights(weights)
    return wild


def with_large_residual(plain: Any) -> Any:
    """The same function: something large is added, and taken away again."""
    import keras

    inputs = keras.Input((28, 28), name="images")
    middle = plain.get_layer("middle")(plain.get_layer("hidden")(keras.layers.Flatten()(inputs)))
    large = keras.layers.Dense(16, kernel_initializer=keras.initializers.Constant(20.0), name="large")(middle)
    back = keras.layers.Subtract(name="back")([keras.layers.Add(name="there")([middle, large]), large])
    return keras.Model(inputs, plain.get_layer("scores")(back))
