"""What evaluate --details says, against scikit-learn on what real Keras predicts with the same checkpoint: confusion, classes, calibration."""

import json
import os
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import keras
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from runs import Home, check, done

warnings.filterwarnings("ignore")
BINS = 10


def near(found, expected, text, tolerance=2e-5):
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    check(found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=tolerance), f"{text}: {found}, expected {expected}")


def clouds(n, classes, seed):
    """Overlapping clouds of points, so that a model is never quite sure and sometimes wrong."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, n)
    centres = 1.2 * np.stack([np.cos(2 * np.pi * np.arange(classes) / classes), np.sin(2 * np.pi * np.arange(classes) / classes)], axis=1)
    return (centres[y] + random.normal(0, 1, (n, 2))).astype("float32"), y.astype("int32")


def evaluate(home, name, classes, last, loss):
    """Details of the last checkpoint, what Keras predicts with it, and the labels."""
    for part, seed in (("train", 1), ("test", 2)):
        x, y = clouds(600, classes, seed)
        np.savez(os.path.join(home.folder, f"{name}-{part}.npz"), x=x, y=y)
    file = {"format": "npz", "x": "x", "y": "y"}
    config = {"name": name, "seed": 1, "data": {**file, "path": f"{name}-train.npz", "test": {**file, "path": f"{name}-test.npz"}},
              "model": {"layers": [{"class": "Dense", "units": 16, "activation": "tanh"}, last]},
              "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.02}, "loss": loss, "metrics": ["accuracy"]},
              "fit": {"epochs": 4, "batch_size": 32}}
    home.json("train", home.config(name, config))
    details = home.json("evaluate", f"{name}:last", "--details")
    model = keras.saving.load_model(os.path.join(home.folder, home.last(name)))
    return details, np.asarray(model.predict(x, verbose=0)), y


def compare(name, details, shares, y):
    said, classes = shares.argmax(axis=1), shares.shape[1]
    sure, right = shares.max(axis=1), (said == y).astype(int)
    near(details["confusion"], confusion_matrix(y, said, labels=range(classes)), f"{name}: confusion", 0)
    precision, recall, f1, support = precision_recall_fscore_support(y, said, labels=range(classes), zero_division=0)
    rows = sorted(details["per_class"], key=lambda row: row["label"])
    for key, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("samples", support)):
        near([row[key] for row in rows], expected, f"{name}: {key}")
    bins = details["calibration"]["bins"]
    accuracy, confidence = calibration_curve(right, sure, n_bins=BINS, strategy="uniform")
    near([b["accuracy"] for b in bins], accuracy, f"{name}: share of right answers by bin")
    near([b["confidence"] for b in bins], confidence, f"{name}: mean confidence by bin")
    samples = np.histogram(sure, bins=BINS, range=(0, 1))[0]
    near([b["samples"] for b in bins], samples[samples > 0], f"{name}: samples by bin", 0)
    near(details["calibration"]["ece"], np.sum(samples[samples > 0] * np.abs(accuracy - confidence)) / len(y), f"{name}: expected calibration error")
    check(len(bins) >= 4 and 0.5 < right.mean() < 0.99, f"{name}: the model is sure and wrong often enough for this to mean something")


if __name__ == "__main__":
    home = Home()
    try:
        details, p, y = evaluate(home, "softmax", 5, {"class": "Dense", "units": 5, "activation": "softmax"}, "sparse_categorical_crossentropy")
        compare("softmax", details, p, y)
        details, z, y = evaluate(home, "logits", 5, {"class": "Dense", "units": 5},
                                 {"class": "SparseCategoricalCrossentropy", "from_logits": True})
        compare("logits", details, np.asarray(keras.ops.softmax(z)), y)
        details, p, y = evaluate(home, "sigmoid", 2, {"class": "Dense", "units": 1, "activation": "sigmoid"}, "binary_crossentropy")
        compare("sigmoid", details, np.concatenate([1 - p, p], axis=1), y)
    finally:
        home.close()
    done()
