"""Tiny models with known weights, made where TensorFlow is: a process is sent to call these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TOKENS, PIXELS, CLASSES = 10, (4, 4, 1), 3


def weights(seed: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {
        "table": (TOKENS, 4),
        "scores": (20, CLASSES),
        "scores_bias": (CLASSES,),
        "age": (20, 1),
        "age_bias": (1,),
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def two_inputs_by_numpy(picture: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class scores and the age of the model below, by its weights alone."""
    w = weights()
    features = np.concatenate([picture.reshape(len(picture), -1), w["table"][tokens].mean(axis=1)], axis=1)
    return features @ w["scores"] + w["scores_bias"], features @ w["age"] + w["age_bias"]


def two_inputs(as_dict: bool = False) -> Any:
    import keras

    w = weights()
    picture, tokens = keras.Input(PIXELS, name="picture"), keras.Input((6,), dtype="int32", name="tokens")
    looked_up = keras.layers.Embedding(TOKENS, 4, name="table")(tokens)
    parts = [keras.layers.Flatten()(picture), keras.layers.GlobalAveragePooling1D()(looked_up)]
    features = keras.layers.Concatenate()(parts)
    scores = keras.layers.Dense(CLASSES, name="zscores")(features)  # Z: the alphabet is not the model's order
    age = keras.layers.Dense(1, name="age")(features)
    if as_dict:
        model = keras.Model({"picture": picture, "tokens": tokens}, {"zscores": scores, "age": age})
    else:
        model = keras.Model([picture, tokens], [scores, age])
    model.get_layer("table").set_weights([w["table"]])
    model.get_layer("zscores").set_weights([w["scores"], w["scores_bias"]])
    model.get_layer("age").set_weights([w["age"], w["age_bias"]])
    return model


def write_two_inputs(folder: Path) -> None:
    two_inputs().save(folder / "list.keras")
    two_inputs(as_dict=True).save(folder / "dict.keras")
    two_inputs().export(folder / "exported", verbose=False)
    write_saved_model(folder / "saved", None)
    write_saved_model(folder / "saved_at_4", 4)


def write_saved_model(folder: Path, batch: int | None) -> None:
    """Of TensorFlow alone, with names of its own."""
    import tensorflow as tf

    w = {name: tf.Variable(array) for name, array in weights().items()}
    module = tf.Module()
    module.weights = w

    @tf.function(
        input_signature=[
            tf.TensorSpec((batch, *PIXELS), tf.float32, "picture"),
            tf.TensorSpec((batch, 6), tf.int32, "tokens"),
        ]
    )
    def serve(picture: Any, tokens: Any) -> dict[str, Any]:
        looked_up = tf.reduce_mean(tf.gather(w["table"], tokens), axis=1)
        features = tf.concat([tf.reshape(picture, (-1, 16)), looked_up], axis=1)
        return {
            "zscores": features @ w["scores"] + w["scores_bias"],
            "age": features @ w["age"] + w["age_bias"],
        }

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_determinant(folder: Path) -> None:
    """A model with an op that TFLite has not built in, as a SavedModel of four numbers."""
    import keras
    import tensorflow as tf

    class Determinant(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.linalg.det(tf.reshape(x, (-1, 2, 2)))[:, None]

    x = keras.Input((4,), name="x")
    keras.Model(x, Determinant()(keras.layers.Dense(4, name="mix")(x))).export(folder, verbose=False)


def write_any_size(path: Path) -> None:
    """Images of any size to their mean colour, scaled by a weight of 2."""
    import keras

    x = keras.Input((None, None, 3), name="image")
    scale = keras.layers.Dense(3, use_bias=False, name="scale")
    model = keras.Model(x, scale(keras.layers.GlobalAveragePooling2D()(x)))
    scale.set_weights([np.eye(3, dtype=np.float32) * 2])
    model.save(path)


def write_bytes_model(path: Path) -> None:
    """Takes uint8 as they are stored: four of them to 2 × each, less 1."""
    import keras

    x = keras.Input((4,), dtype="uint8", name="bytes")
    scale = keras.layers.Dense(4, name="scale")
    model = keras.Model(x, scale(keras.layers.Rescaling(1.0)(x)))
    scale.set_weights([np.eye(4, dtype=np.float32) * 2, np.full(4, -1, np.float32)])
    model.save(path)


def scaling() -> dict[str, bool]:
    """By what a model of images begins with: whether that may scale its inputs."""
    import keras

    from harness.build.models.keras_model import KerasModel

    layers, image = keras.layers, (8, 8, 3)
    rest = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    inner = keras.Sequential([keras.Input(image), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)])
    x = keras.Input(image)
    models = {
        "nothing": keras.Sequential([keras.Input(image), layers.ZeroPadding2D(), *rest]),
        "rescaling": keras.Sequential([keras.Input(image), layers.RandomFlip(), layers.Rescaling(1 / 255), *rest]),
        "nested": keras.Sequential([keras.Input(image), inner, layers.Flatten()]),
        "normalisation": keras.Sequential([keras.Input(image), layers.Normalization(mean=0.5, variance=1.0), *rest]),
        "written": keras.Model(x, layers.Conv2D(4, 3)(x / 255.0)),
        "lambda": keras.Sequential([keras.Input(image), layers.Lambda(lambda x: x / 255), *rest]),
        "batch normalisation first": keras.Sequential([keras.Input(image), layers.BatchNormalization(), *rest]),
        "batch normalisation later": keras.Sequential(
            [keras.Input(image), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()]
        ),
        "layer normalisation last": keras.Sequential([keras.Input(image), *rest, layers.LayerNormalization()]),
    }
    return {name: not KerasModel(model).facts.bare for name, model in models.items()}


def write_stateful(path: Path) -> None:
    """A GRU that keeps its state from call to call, saved after it has answered."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input(batch_shape=(1, 4, 3), name="frames")
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.GRU(5, stateful=True)(x)))
    model.predict_on_batch(np.ones((1, 4, 3), np.float32))
    model.save(path)


def write_four_states(path: Path) -> None:
    """Two LSTMs that keep two states each."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input(batch_shape=(1, 4, 3), name="frames")
    first = keras.layers.LSTM(4, stateful=True, return_sequences=True)(x)
    keras.Model(x, keras.layers.Dense(2)(keras.layers.LSTM(4, stateful=True)(first))).save(path)


def stateless_answers(path: Path, x: np.ndarray) -> np.ndarray:
    """What the model above answers from its initial state, by the same layers without state."""
    import keras

    keeping = keras.saving.load_model(path)
    i = keras.Input((4, 3))
    model = keras.Model(i, keras.layers.Dense(2)(keras.layers.GRU(5)(i)))
    model.set_weights([*keeping.layers[1].cell.get_weights(), *keeping.layers[2].get_weights()])
    return np.asarray(model(x))


def write_endless(folder: Path) -> None:
    """Counts for ever, but only as long as x is over 0."""
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable([[1.0]])

    @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.float32, "x")])
    def answer(x: Any) -> dict[str, Any]:
        more = lambda n: tf.reduce_max(x) > 0.0  # noqa: E731
        return {"y": x @ module.weight + tf.while_loop(more, lambda n: (n + 1.0,), (0.0,))[0]}

    module.answer = answer
    tf.saved_model.save(module, str(folder), signatures=answer)


def habits_in_little_time(folder: Path, feeds: Any, stored: tuple[np.ndarray, ...]) -> Any:
    """As predictions.habits, in a process that gives a sample 5 s."""
    from harness.build.models import predictions

    predictions.NO_ANSWER_S = 5.0
    return predictions.habits(folder, feeds, stored)


def carried_answers(path: Path, x: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """What the model above answers where a clip's samples are one long sample, by the same layers without state."""
    import keras

    keeping = keras.saving.load_model(path)
    i = keras.Input((None, 3))
    model = keras.Model(i, keras.layers.Dense(2)(keras.layers.GRU(5, return_sequences=True)(i)))
    model.set_weights([*keeping.layers[1].cell.get_weights(), *keeping.layers[2].get_weights()])
    joined = [x[clips == clip].reshape(1, -1, 3) for clip in np.unique(clips)]
    return np.concatenate([np.asarray(model(steps))[0, 3::4] for steps in joined])


def write_fed_back(path: Path) -> None:
    """An LSTM's cell whose two states go in and out, and what Keras' own layer makes of a whole clip, beside it."""
    import keras

    keras.utils.set_random_seed(0)
    cell, dense = keras.layers.LSTMCell(5), keras.layers.Dense(2, name="scores")
    frame, h, c = keras.Input((3,), name="frame"), keras.Input((5,), name="h"), keras.Input((5,), name="c")
    heard, (h_next, c_next) = cell(frame, [h, c])
    keras.Model([c, frame, h], {"c_next": c_next, "h_next": h_next, "scores": dense(heard)}).save(path)
    clip = keras.Input((None, 3))
    whole = keras.layers.RNN(cell, return_sequences=True)(clip)
    keras.Model(clip, dense(whole)).save(path.with_name("whole.keras"))


def answers_to_clips(path: Path, x: np.ndarray, clips: np.ndarray) -> np.ndarray:
    import keras

    whole = keras.saving.load_model(path)
    return np.concatenate([np.asarray(whole(x[clips == clip][np.newaxis]))[0] for clip in np.unique(clips)])


def write_batch_max(path: Path) -> None:
    """Divides by the largest value of the whole batch."""
    import keras

    x = keras.Input((4,), name="x")
    keras.Model(x, keras.layers.Dense(2, kernel_initializer="ones")(x / keras.ops.max(x))).save(path)


def write_heads(folder: Path) -> None:
    """Two heads of one shape, whose names are in another order than the model has them, and a file that only counts
    its outputs.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    x = keras.Input((6,), name="x")
    main, aux = (keras.layers.Dense(4, name=name)(x) for name in ("main", "aux"))
    model = keras.Model(x, {"main": main, "aux": aux})
    spec = tf.TensorSpec([None, 6], tf.float32, name="x")
    serve = tf.function(lambda x: model(x))
    tf.saved_model.save(model, str(folder / "saved"), signatures=serve.get_concrete_function(spec))
    listed = keras.Model(x, [main, aux])
    (folder / "vendor.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(listed).convert())
    twins = keras.Model(x, [main, main, aux])
    twins.save(folder / "twins.keras")
    passing = keras.Model(x, [keras.layers.Identity()(x), main])
    passing.save(folder / "passing.keras")


def write_normalised_line(path: Path) -> None:
    """Normalisation of 60 features by 240 numbers, which the converter folds into 61 weights."""
    import keras

    x = keras.Input((60,), name="x")
    norm = keras.layers.BatchNormalization()
    model = keras.Model(x, keras.layers.Dense(1)(norm(x)))
    random = np.random.default_rng(2)
    norm.set_weights([random.uniform(0.5, 2, 60) for _ in range(4)])
    model.save(path)


def write_camera(path: Path) -> None:
    """Bytes that are cast and rescaled inside, then a convolution."""
    import keras

    keras.utils.set_random_seed(3)
    x = keras.Input((8, 8, 1), dtype="uint8", name="bytes")
    h = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 127.5, -1)(x))
    keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(h))).save(path)


def write_half(path: Path, policy: str) -> None:
    import keras

    keras.utils.set_random_seed(4)
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, dtype=policy), keras.layers.Flatten()]
    keras.Sequential([*layers, keras.layers.Dense(3, dtype=policy), keras.layers.Dense(3)]).save(path)


def write_lstm(path: Path) -> None:
    import keras

    keras.utils.set_random_seed(5)
    x = keras.Input((None, 3), name="x")
    keras.Model(x, keras.layers.Dense(2)(keras.layers.LSTM(6)(x))).save(path)


def write_exported_lstm(folder: Path) -> None:
    """As Keras exports it: for any batch, which is then a constant of its loop."""
    import keras

    keras.utils.set_random_seed(5)
    x = keras.Input((4, 3), name="x")
    keras.Model(x, keras.layers.Dense(2)(keras.layers.LSTM(6)(x))).export(folder, verbose=False)


def write_quantised_by_keras(path: Path) -> None:
    import keras

    x = keras.Input((8,), name="x")
    model = keras.Model(x, keras.layers.Dense(2)(x))
    model.quantize("int8")
    model.save(path)


def write_fake_quantised(folder: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable(np.random.default_rng(6).normal(size=(40, 30)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 40), tf.float32, "x")])
    def serve(x: Any) -> dict[str, Any]:
        fake = tf.quantization.fake_quant_with_min_max_args
        return {"y": fake(fake(x, -4, 4) @ fake(module.w, -3, 3), -60, 60)}

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_waveform(folder: Path) -> None:
    """[8] without a batch axis → [1, 2], with a scalar beside it."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((8,), tf.float32, "wave"), tf.TensorSpec((), tf.float32, "gain")])
    def serve(wave: Any, gain: Any) -> dict[str, Any]:
        return {"ends": gain * tf.stack([wave[0], wave[-1]])[None], "rows": tf.reshape(wave, (4, 2)) + gain}

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_named_y(folder: Path) -> None:
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, "x"), tf.TensorSpec((None, 2), tf.float32, "y")])
    def serve(x: Any, y: Any) -> dict[str, Any]:
        return {"out": x - 3 * y}

    tf.saved_model.save(module, str(folder), signatures=serve)


def add_slot(folder: Path) -> None:
    """Gives the SavedModel a slot of an optimiser of Keras 2, as one that was trained there has it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = folder / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    nodes = saved.meta_graphs[0].object_graph_def.nodes
    variables = [n for n, node in enumerate(nodes) if node.HasField("variable")]
    optimiser = nodes.add()
    optimiser.user_object.identifier = "optimizer"
    optimiser.user_object.version.producer = 1
    optimiser.user_object.version.min_consumer = 1
    slot = optimiser.slot_variables.add()
    slot.original_variable_node_id, slot.slot_name, slot.slot_variable_node_id = variables[0], "m", variables[1]
    child = nodes[0].children.add()
    child.node_id, child.local_name = len(nodes) - 1, "optimizer"
    file.write_bytes(saved.SerializeToString())


def subclassed(folder: Path) -> None:
    """The module of a model of the user's own class that takes a dict."""
    (folder / "sub_model.py").write_text(SUBCLASSED)


SUBCLASSED = """
import keras, numpy as np

class Minus(keras.Model):
    def __init__(self):
        super().__init__()
        self.scale = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    def call(self, given):
        return {"verdict": self.scale(given["zenith"]) - 2 * self.scale(given["azimuth"])}

def make():
    model = Minus()
    model({"zenith": np.zeros((1, 2), "float32"), "azimuth": np.zeros((1, 2), "float32")})
    return model
"""


def write_version_1(folder: Path) -> None:
    """As TensorFlow 1 saved models: a graph in a session, with a reference variable."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, (None, 2), "x")
        w = v1.get_variable("w", initializer=np.array([[1], [2]], np.float32), use_resource=False)
        y = tf.matmul(x, w)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})
