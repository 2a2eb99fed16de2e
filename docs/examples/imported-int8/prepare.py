"""A .tflite file that somebody else has converted, beside its Keras original: vendor.tflite, model.keras, test.npz."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)
digits = load_digits()
images = digits.images.astype(np.uint8)
x, x_test, y, y_test = train_test_split(images, digits.target, test_size=0.4, random_state=0, stratify=digits.target)

model = keras.Sequential(
    [
        keras.Input(batch_shape=(1, 8, 8)),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(x / 16, y, epochs=5, batch_size=1, verbose=0)

converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([np.float32(sample[np.newaxis] / 16)] for sample in x[:200])
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8

Path("vendor.tflite").write_bytes(converter.convert())
model.save("model.keras")
np.savez("test.npz", x=x_test, y=y_test)
