"""Models of Keras 2 answer as the numbers in their files say, computed here with numpy, or it is said why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.build import models
from harness.build.keras_process import KerasProcess
from harness.build.models import predictions as baseline
from harness.build.models.feed import Feed
from harness.build.models.keras2 import modern
from harness.errors import BuildError
from harness.records import Affine, Tensor
from tests.keras2_files import (
    GLOROT,
    KERNEL,
    ONES,
    ZEROS,
    Config,
    Weights,
    dense,
    functional,
    layer,
    node,
    placeholder,
    recurrent,
    sequential,
    write,
)

random = np.random.default_rng(7)


def some(*shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """Keras 2's; Keras 3's has slope 1/6."""
    return np.clip(0.2 * x + 0.5, 0, 1)


W1, B1, W2, B2 = some(4, 3), some(3), some(3, 2), some(2)
FIRST = ("first", [("first/kernel:0", W1), ("first/bias:0", B1)])
SECOND = ("second", [("second/kernel:0", W2), ("second/bias:0", B2)])
TWO: Weights = [FIRST, SECOND]
X = some(5, 4)


def two_layers(x: np.ndarray) -> np.ndarray:
    return relu(x @ W1 + B1) @ W2 + B2


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KerasProcess]:
    with KerasProcess(tmp_path_factory.mktemp("keras") / "tensorflow.log") as process:
        yield process


def answers(keras: KerasProcess, path: Path, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the model of the file gives for these, as a build would ask it."""
    facts = keras.call(models.describe, path)
    forms = [Tensor(t.name, t.dtype, (1, *x.shape[1:])) for t, x in zip(facts.inputs, inputs, strict=True)]
    feeds = [Feed(form, n, Affine()) for n, form in enumerate(forms)]
    return keras.call(baseline.outputs, path, feeds, inputs)


def assert_answers(
    keras: KerasProcess, path: Path, inputs: tuple[np.ndarray, ...], *wanted: np.ndarray, atol: float = 1e-6
) -> None:
    found = answers(keras, path, *inputs)
    for given, expected in zip(found, wanted, strict=True):
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected, atol=atol)


# --- what loads ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["input layer", "first layer's shape", "bare list"])
def test_a_sequential_model_however_it_says_its_input(keras, tmp_path, how):
    layers = [dense("first", 3, "relu", batch_input_shape=[None, 4]), dense("second", 2)]
    if how == "input layer":
        layers = [placeholder("first_input", [None, 4]), *layers]
    config = {"class_name": "Sequential", "config": layers} if how == "bare list" else sequential(*layers)
    assert_answers(keras, write(tmp_path / "m.h5", config, TWO), (X,), two_layers(X))


@pytest.mark.slow
def test_several_inputs_and_outputs_slashes_in_names_and_the_old_hard_sigmoid(keras, tmp_path):
    layers = [
        node(placeholder("a/in", [None, 4])),
        node(placeholder("b", [None, 4])),
        node(layer("Add", "top/add"), "a/in", "b"),
        node(dense("first", 3, "relu"), "top/add"),
        node(dense("second", 2), "first"),
        node(layer("Activation", "gate", activation="hard_sigmoid"), "second"),
    ]
    config = functional("model/1", layers, ["a/in", "b"], ["gate", "first"])
    path = write(tmp_path / "m.h5", config, [("a/in", []), ("b", []), ("top/add", []), *TWO, ("gate", [])], "2.3.1")
    y = some(5, 4)
    facts = keras.call(models.describe, path)
    assert [t.name for t in facts.inputs] == ["a_in", "b"]
    assert [(t.name, t.shape) for t in facts.outputs] == [("gate", (-1, 2)), ("first", (-1, 3))]
    assert facts.parameters == sum(w.size for w in (W1, W2))
    assert_answers(keras, path, (X, y), hard_sigmoid(two_layers(X + y)), relu((X + y) @ W1 + B1))


@pytest.mark.slow
def test_nested_models_whose_first_call_keras_2_counts_from_1(keras, tmp_path):
    inner = functional(
        "inner", [node(placeholder("in", [None, 4])), node(dense("first", 3, "relu"), "in")], ["in"], ["first"]
    )
    head = sequential(placeholder("head_in", [None, 3]), dense("second", 2), name="head")
    layers = [node(placeholder("x", [None, 4])), node(inner, "x"), node(head, "inner", index=1)]
    config = functional("outer", layers, ["x"], ["head"], index=1)
    path = write(tmp_path / "m.h5", config, [("x", []), ("inner", FIRST[1]), ("head", SECOND[1])])
    assert_answers(keras, path, (X,), two_layers(X))


@pytest.mark.slow
def test_a_mobilenet_like_model_in_sequentials_as_teachable_machine_writes_it(keras, tmp_path):
    depthwise = layer(
        "DepthwiseConv2D", "dw", kernel_size=[3, 3], strides=[1, 1], padding="same", data_format="channels_last",
        dilation_rate=[1, 1], groups=1, activation="linear", use_bias=False, depth_multiplier=1,
        depthwise_initializer=GLOROT, depthwise_regularizer=None, depthwise_constraint=None,
        **{key: value for key, value in KERNEL.items() if "regularizer" not in key and "constraint" not in key},
    )  # fmt: skip
    norm = layer(
        "BatchNormalization", "bn", axis=[3], momentum=0.999, epsilon=0.001, center=True, scale=True,
        beta_initializer=ZEROS, gamma_initializer=ONES, moving_mean_initializer=ZEROS,
        moving_variance_initializer=ONES,
    )  # fmt: skip
    inner = [node(placeholder("input_1", [None, 6, 6, 3])), node(depthwise, "input_1"), node(norm, "dw")]
    inner.append(node(layer("ReLU", "relu6", max_value=6.0, negative_slope=0.0, threshold=0.0), "bn"))
    body = sequential(
        functional("mobile", inner, ["input_1"], ["relu6"]), layer("GlobalAveragePooling2D", "gap"), name="body"
    )
    config = sequential(body, sequential(dense("scores", 2, batch_input_shape=[None, 3]), name="head"), name="all")
    kernel, weights, bias = some(3, 3, 3, 1), some(3, 2), some(2)
    gamma, beta, mean, variance = some(3), some(3), some(3), some(3) ** 2
    norms = zip(("gamma", "beta", "moving_mean", "moving_variance"), (gamma, beta, mean, variance), strict=True)
    of_body = [("dw/depthwise_kernel:0", kernel), *((f"bn/{name}:0", array) for name, array in norms)]
    of_head = [("scores/kernel:0", weights), ("scores/bias:0", bias)]
    path = write(tmp_path / "m.h5", config, [("body", of_body), ("head", of_head)], "2.2.4-tf")
    images = some(2, 6, 6, 3)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    filtered = sum(padded[:, i : i + 6, j : j + 6] * kernel[i, j, :, 0] for i in range(3) for j in range(3))
    features = np.clip((filtered - mean) / np.sqrt(variance + 0.001) * gamma + beta, 0, 6).mean(axis=(1, 2))
    assert_answers(keras, path, (images,), features @ weights + bias, atol=1e-5)


@pytest.mark.slow
def test_an_lstm_with_the_options_and_the_gates_of_keras_2(keras, tmp_path):
    config = sequential(
        placeholder("steps", [None, 7, 2]),
        recurrent("LSTM", "lstm", 3, "hard_sigmoid", unit_forget_bias=True, time_major=False),
        dense("second", 2),
    )
    kernel, state_kernel, bias = some(2, 12), some(3, 12), some(12)
    weights = [("lstm/kernel:0", kernel), ("lstm/recurrent_kernel:0", state_kernel), ("lstm/bias:0", bias)]
    path = write(tmp_path / "m.h5", config, [("lstm", weights), SECOND], "2.4.0")
    steps = some(4, 7, 2)
    hidden = carry = np.zeros((4, 3))
    for t in range(7):
        i, f, c, o = np.split(steps[:, t] @ kernel + hidden @ state_kernel + bias, 4, axis=1)
        carry = hard_sigmoid(f) * carry + hard_sigmoid(i) * np.tanh(c)
        hidden = hard_sigmoid(o) * np.tanh(carry)
    assert_answers(keras, path, (steps,), hidden @ W2 + B2)


@pytest.mark.slow
def test_a_gru_from_before_reset_after_within_bidirectional(keras, tmp_path):
    inner = recurrent("GRU", "g", 3, "sigmoid")
    config = sequential(layer("Bidirectional", "bi", batch_input_shape=[None, 7, 2], layer=inner, merge_mode="concat"))
    halves = [(some(2, 9), some(3, 9), some(9)) for _ in range(2)]
    names = ("kernel", "recurrent_kernel", "bias")
    weights = [
        (f"bi/{way}_g/{name}:0", array)
        for way, half in zip(("forward", "backward"), halves, strict=True)
        for name, array in zip(names, half, strict=True)
    ]
    path = write(tmp_path / "m.h5", config, [("bi", weights)], "2.1.0")

    def gru(steps: np.ndarray, kernel: np.ndarray, state_kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        hidden = np.zeros((len(steps), 3))
        for t in range(steps.shape[1]):
            xz, xr, xh = np.split(steps[:, t] @ kernel + bias, 3, axis=1)
            z, r = sigmoid(xz + hidden @ state_kernel[:, :3]), sigmoid(xr + hidden @ state_kernel[:, 3:6])
            hidden = z * hidden + (1 - z) * np.tanh(xh + (r * hidden) @ state_kernel[:, 6:])
        return hidden

    steps = some(4, 7, 2)
    wanted = np.concatenate([gru(steps, *halves[0]), gru(steps[:, ::-1], *halves[1])], axis=1)
    assert_answers(keras, path, (steps,), wanted)


@pytest.mark.slow
def test_token_ids_a_dtype_policy_a_wrapped_layer_and_a_transposed_convolution(keras, tmp_path):
    policy = {"class_name": "Policy", "config": {"name": "float32"}}
    embedding = layer("Embedding", "e", batch_input_shape=[None, 7], input_dim=10, output_dim=4, input_length=7,
                      embeddings_initializer=GLOROT, mask_zero=False)  # fmt: skip
    embedding["config"]["dtype"] = policy
    wrapped = layer("TimeDistributed", "td", layer=dense("first", 3))
    config = sequential(embedding, wrapped, layer("LeakyReLU", "leaky", alpha=0.1))
    table = some(10, 4)
    weights = [("e", [("e/embeddings:0", table)]), ("td", [("td/kernel:0", W1), ("td/bias:0", B1)]), ("leaky", [])]
    path = write(tmp_path / "m.h5", config, weights, "2.2.4")
    ids = random.integers(0, 10, (4, 7))
    sums = table[ids] @ W1 + B1
    assert keras.call(models.describe, path).inputs[0].dtype == "int32"
    assert_answers(keras, path, (ids,), np.where(sums > 0, sums, 0.1 * sums))


# --- what does not -------------------------------------------------------------------------------------------------


def refused(keras: KerasProcess, path: Path) -> BuildError:
    with pytest.raises(BuildError) as caught:
        keras.call(models.describe, path)
    assert caught.value.advice
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "told"),
    [
        (layer("TFOpLambda", "tf.math.add", function="math.add"), r"TensorFlow operation as a layer \(tf.math.add\)"),
        (layer("Lambda", "mine", function=["4wEAAAA=", None, None]), "bytecode of another Python"),
        (layer("MyLayer", "mine"), "Unknown layer: 'MyLayer'"),
        (dense("first", 3, groups=2), "groups = 2, which Keras 3 does not know"),
    ],
)  # fmt: skip
def test_a_layer_that_keras_3_lacks_is_named_with_a_way_out(keras, tmp_path, config: Config, told):
    path = write(tmp_path / "m.h5", sequential(placeholder("x", [None, 4]), config), [])
    error = refused(keras, path)
    assert re.search(told, str(error))
    assert "save it as a folder" in error.advice


@pytest.mark.slow
def test_weights_without_a_model_and_a_model_without_weights(keras, tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"first"]
    error = refused(keras, tmp_path / "weights.h5")
    assert "holds weights but no model" in str(error)
    assert "module:function" in error.advice
    config = sequential(placeholder("x", [None, 4]), dense("first", 3), dense("second", 2))
    assert "Layer count mismatch" in str(refused(keras, write(tmp_path / "half.h5", config, [FIRST])))


@pytest.mark.slow
def test_weights_in_another_order_are_not_taken_for_each_other(keras, tmp_path):
    """Keras goes by order alone, and these have one shape."""
    norm = layer("BatchNormalization", "bn", axis=[1], momentum=0.99, epsilon=0.001, center=True, scale=True)
    arrays = [(f"bn/{name}:0", some(4)) for name in ("beta", "gamma", "moving_mean", "moving_variance")]
    path = write(tmp_path / "m.h5", sequential(placeholder("x", [None, 4]), norm), [("bn", arrays)])
    assert "in another order" in str(refused(keras, path))


@pytest.mark.slow
def test_half_a_file_is_told(keras, tmp_path):
    whole = write(tmp_path / "m.h5", sequential(placeholder("x", [None, 4]), dense("first", 3)), [FIRST]).read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    assert "half.h5" in str(refused(keras, tmp_path / "half.h5"))


@pytest.mark.slow
def test_keras_1_is_too_old(keras, tmp_path):
    path = write(tmp_path / "m.h5", sequential(placeholder("x", [None, 4]), dense("first", 3)), [FIRST], "1.2.2")
    assert "written by Keras 1" in str(refused(keras, path))


def test_a_configuration_that_says_nothing_new_is_left_as_it_is_read():
    """modern() neither invents nor loses a layer."""
    config = functional("m", [node(placeholder("x", [None, 4]))], ["x"], ["x"])
    made = modern(config)["config"]
    assert [each["name"] for each in made["layers"]] == ["x"]
    assert (made["input_layers"], made["output_layers"]) == (["x", 0, 0], ["x", 0, 0])


# --- what is written anew, as Keras 3 has it -------------------------------------------------------------------------


def test_a_sequential_says_its_input_as_a_layer_of_its_own():
    """Keras 2 said it at the first layer, as batch_input_shape; token ids of an Embedding are whole numbers."""
    made = modern(sequential(dense("a", 3, batch_input_shape=[None, 4]), dense("b", 2)))
    first, *others = made["config"]["layers"]
    given = {"batch_shape": [None, 4], "dtype": "float32", "name": "input"}
    assert (made["class_name"], first) == ("Sequential", {"class_name": "InputLayer", "config": given})
    assert [each["config"]["name"] for each in others] == ["a", "b"]
    assert all("batch_input_shape" not in each["config"] for each in others)
    ids = layer("Embedding", "e", batch_input_shape=[None, 7], input_dim=10, output_dim=4, input_length=7)
    first, embedding = modern(sequential(ids))["config"]["layers"]
    assert first["config"]["dtype"] == "int32"
    assert embedding["config"] == {
        "name": "e", "trainable": True, "dtype": "float32", "input_dim": 10, "output_dim": 4,
    }  # fmt: skip


def test_the_input_of_a_model_that_begins_with_a_model_is_that_ones():
    inner = sequential(dense("a", 3, batch_input_shape=[None, 4]), name="inner")
    made = modern(sequential(inner, dense("b", 2)))["config"]["layers"]
    assert made[0]["config"]["batch_shape"] == [None, 4]
    assert made[1]["config"]["layers"][0]["config"]["batch_shape"] == [None, 4]
    bare = {"class_name": "Sequential", "config": [dense("a", 3)]}
    assert [each["class_name"] for each in modern(bare)["config"]["layers"]] == ["Dense"]  # nobody says its input


def test_calls_of_nested_models_are_counted_from_0_and_names_have_no_slash():
    inner = sequential(placeholder("in", [None, 4]), dense("a", 3), name="in/ner")
    layers = [node(placeholder("x", [None, 4])), node(inner, "x"), node(dense("b", 2), "in/ner", index=1)]
    made = modern(functional("outer/1", layers, ["x"], ["in/ner"], index=1))
    assert (made["class_name"], made["config"]["name"]) == ("Functional", "outer_1")
    assert [each["name"] for each in made["config"]["layers"]] == ["x", "in_ner", "b"]
    assert made["config"]["layers"][2]["inbound_nodes"] == [[["in_ner", 0, 0, {}]]]
    assert made["config"]["output_layers"] == ["in_ner", 0, 0]


def test_several_ends_and_those_by_name_stay_what_they_were():
    layers = [node(placeholder(name, [None, 4])) for name in ("x", "y")]
    config = functional("m", layers, ["x", "y"], ["x"])
    config["config"]["output_layers"] = {"first": ["x", 0, 0], "second": ["y", 0, 0]}
    ends = modern(config)["config"]
    assert ends["input_layers"] == [["x", 0, 0], ["y", 0, 0]]
    assert ends["output_layers"] == {"first": ["x", 0, 0], "second": ["y", 0, 0]}


def test_a_layer_in_a_layer_says_where_it_is_from():
    inner = recurrent("GRU", "g", 3, "sigmoid")
    inner["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    made = modern(layer("Bidirectional", "bi", layer=inner, merge_mode="concat"))["config"]["layer"]
    assert (made["module"], made["registered_name"], made["class_name"]) == ("keras.layers", None, "GRU")
    assert made["config"]["dtype"] == "mixed_float16"
    assert made["config"]["reset_after"] is False  # a GRU that does not say so is from before it; Keras 3 means True
    assert "implementation" not in made["config"]  # it changes no number
    cells = layer("RNN", "r", cell=layer("StackedRNNCells", "s", cells=[layer("GRUCell", "c", units=3)]))
    stacked = modern(cells)["config"]["cell"]["config"]["cells"]
    assert [(each["class_name"], each["module"]) for each in stacked] == [("GRUCell", "keras.layers")]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (layer("TFOpLambda", "tf.math.add", function="math.add"), r"operation as a layer \(tf.math.add\)"),
        (layer("Lambda", "mine", function=["4wEAAAA="]), r"bytecode of another Python as a layer \(mine\)"),
        (dense("first", 3, groups=2), "first, a Dense, has groups = 2, which Keras 3 does not know"),
    ],
)
def test_what_keras_3_lacks_is_refused_with_a_way_out(config, told):
    with pytest.raises(BuildError, match=told) as caught:
        modern(sequential(placeholder("x", [None, 4]), config))
    assert "save it as a folder" in caught.value.advice


def test_options_that_say_nothing_are_left_out_and_a_layer_that_nobody_knows_is_left_to_keras():
    made = modern(dense("a", 3, groups=1, time_major=False, fused=None))["config"]
    assert made.keys() & {"groups", "time_major", "fused"} == set()
    unknown = modern(layer("MyLayer", "mine", width=7))
    assert (unknown["class_name"], unknown["config"]["width"]) == ("MyLayer", 7)
    assert modern(layer("BatchNormalizationV1", "bn", axis=[1]))["class_name"] == "BatchNormalization"
