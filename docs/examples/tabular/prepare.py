"""A regression on a table: model.keras, test.csv, calibration.csv. Progress of diabetes after a year, 25 to 346."""

import keras
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)
table = load_diabetes(as_frame=True).frame
train, test = train_test_split(table, test_size=0.4, random_state=0)
features = train.drop(columns="target").to_numpy("float32")

normalise = keras.layers.Normalization()
normalise.adapt(features)
model = keras.Sequential(
    [
        keras.Input((10,)),
        normalise,
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
model.fit(features, train.target.to_numpy("float32"), epochs=100, verbose=0)

model.save("model.keras")
test.to_csv("test.csv", index=False)
train.to_csv("calibration.csv", index=False)
