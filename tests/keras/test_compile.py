"""Losses, metrics, optimizers and schedules against real Keras: three epochs on fixed data from the same weights, shuffle=False.

Compared: every history key of every epoch, final weights, every optimizer variable by its number. Weights are compared relative to the
size of their update, so that a wrong epsilon, order or decay shows. Usage: test_compile.py DRIVER [BACKEND]...
"""
import json
import os
import subprocess
import sys

import numpy as np

import quick_jax
import keras
from keras import layers, losses, metrics, ops, optimizers
from keras.optimizers import schedules
from work_folder import WorkFolder

N, REST, BATCH, EPOCHS = 24, 22, 8, 3  # one case in a while has a smaller last batch (Keras compiles anew for each size)
rng = np.random.default_rng(7)


def make_data(n):
    x = rng.normal(size=(n, 5)).astype("float32")
    labels = rng.integers(0, 3, n)
    steps = rng.integers(0, 3, (n, 4))
    eye = np.eye(3, dtype="float32")
    y = {
        "label": labels.astype("int32"),
        "many": (labels + 3 * (np.arange(n) % 3 == 0) * np.arange(n)).astype("int32"),  # some of a batch are alone with theirs
        "column": labels.astype("int32")[:, None],
        "onehot": eye[labels],
        "soft": rng.dirichlet([1, 1, 1], n).astype("float32"),
        "bit": (labels > 1).astype("float32"),
        "bitcolumn": (labels > 1).astype("float32")[:, None],
        "bits": rng.integers(0, 2, (n, 3)).astype("float32"),
        "signs": (2 * rng.integers(0, 2, (n, 1)) - 1).astype("float32"),
        "real": (x @ rng.normal(size=(5, 3)) + 1).astype("float32"),
        "realcolumn": (x[:, :1] * 2 + 1).astype("float32"),
        "realflat": (x[:, 0] * 2 + 1).astype("float32"),
        "positive": np.abs(rng.normal(size=(n, 3))).astype("float32"),
        "steps": steps.astype("int32"),
        "stepsonehot": eye[steps],
        "spelled": np.stack([[1, 2, 0], [2, 0, 0], [0, 0, 0], [1, 1, 0], [2, 1, 2]] * n)[:n].astype("int32"),  # for CTC: 0 is no label
    }
    data = {"x": x, "seq": rng.normal(size=(n, 4, 5)).astype("float32"), "y": y, "w": rng.uniform(0.2, 2, n).astype("float32")}
    length = rng.integers(1, 5, n)  # of a padded sequence
    data["padded"] = data["seq"] * (np.arange(4) < length[:, None])[..., None].astype("float32")
    return data


TRAIN, VALIDATION = make_data(N), make_data(BATCH)


def dense(units, activation=None, **options):
    return keras.Sequential([layers.Input((5,)), layers.Dense(6, activation="tanh", **options),
                             layers.Dense(units, activation=activation)])


def two_outputs():
    x = layers.Input((5,), name="x")
    h = layers.Dense(6, activation="tanh", name="h")(x)
    return keras.Model(x, [layers.Dense(3, activation="softmax", name="a")(h), layers.Dense(1, name="b")(h)])


def transformer(attention, **call):
    """A pre-norm block, causal. Without biases in the attention where the optimizer is Adam: the key's has the gradient 0, and Adam
    makes steps of what rounding leaves of it."""
    x = layers.Input((4, 5))
    h = layers.Dense(8)(layers.Masking()(x))
    y = layers.LayerNormalization()(h)
    h = layers.Add()([h, attention(y, y, use_causal_mask=True, **call)])
    y = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(h))
    h = layers.Add()([h, layers.Dense(8)(y)])
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.RMSNormalization()(h)))


MODELS = {
    "softmax": lambda: dense(3, "softmax"),
    "logits": lambda: dense(3),
    "sigmoid": lambda: dense(1, "sigmoid"),
    "logit": lambda: dense(1),
    "sigmoids": lambda: dense(3, "sigmoid"),
    "linear": lambda: dense(3),
    "linear1": lambda: dense(1),
    "positive": lambda: dense(3, "softplus"),
    "tanh": lambda: dense(1, "tanh"),
    "seq": lambda: keras.Sequential([layers.Input((4, 5)), layers.Dense(3, activation="softmax")]),
    "seqlogits": lambda: keras.Sequential([layers.Input((4, 5)), layers.Dense(3)]),
    "padded": lambda: keras.Sequential([layers.Input((4, 5)), layers.Masking(), layers.Dense(6, "tanh"), layers.Dense(3, activation="softmax")]),
    "paddedmean": lambda: keras.Sequential([layers.Input((4, 5)), layers.Masking(), layers.BatchNormalization(), layers.Dense(6, "tanh"),
                                            layers.GlobalAveragePooling1D(), layers.Dense(3, activation="softmax")]),
    "regularized": lambda: dense(3, None, kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1(0.01),
                                 bias_initializer="random_normal"),  # not 0, where JAX alone gives |x| a slope
    "constrained": lambda: dense(3, None, kernel_constraint=keras.constraints.MaxNorm(0.8)),
    "paddedlstm": lambda: keras.Sequential([layers.Input((4, 5)), layers.Masking(), layers.LSTM(4, return_sequences=True, kernel_regularizer="l2"),
                                            layers.GRU(4, reset_after=False, recurrent_constraint="max_norm"), layers.Dense(3, activation="softmax")]),
    "paddedboth": lambda: keras.Sequential([layers.Input((4, 5)), layers.Masking(), layers.Bidirectional(layers.GRU(3, return_sequences=True)),
                                            layers.SimpleRNN(4, return_sequences=True), layers.Dense(3, activation="softmax")]),
    "paddedattention": lambda: transformer(layers.MultiHeadAttention(2, 4, use_bias=False, kernel_regularizer="l2")),
    "seqgroups": lambda: transformer(layers.GroupQueryAttention(4, 4, 2)),
    "cubes": lambda: keras.Sequential([layers.Input((4, 5)), layers.Conv1D(6, 3, padding="same", activation="tanh"),
                                       layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de"), layers.Reshape((4, 8)),
                                       layers.Dense(3, activation="softmax", name="last")]),
    "embeddings": lambda: keras.Sequential([layers.Input((5,)), layers.Dense(4), layers.UnitNormalization()]),
    "two": two_outputs,
}

CASES = []


def case(name, model, target, weighted=False, ours=None, rest=False, **compile):
    """compile: keyword -> value or function that makes it. ours: our compile object; None = Keras' own compile_config."""
    CASES.append(dict(name=name, model=model, target=target, weighted=weighted, ours=ours, rest=rest, compile=compile))


SGD = lambda: optimizers.SGD(0.1)

# Losses: as a string, as an object with options, weighted
for loss, model, target in [
        ("mse", "linear", "real"), ("mean_absolute_error", "linear", "real"), ("mape", "linear", "real"), ("msle", "positive", "positive"),
        ("huber", "linear", "real"), ("log_cosh", "linear", "real"), ("kld", "softmax", "soft"), ("poisson", "positive", "positive"),
        ("cosine_similarity", "linear", "real"), ("binary_crossentropy", "sigmoid", "bitcolumn"), ("bce", "sigmoids", "bits"),
        ("categorical_crossentropy", "softmax", "onehot"), ("sparse_categorical_crossentropy", "softmax", "label"),
        ("hinge", "tanh", "signs"), ("squared_hinge", "tanh", "bitcolumn"), ("categorical_hinge", "softmax", "onehot"),
        ("binary_focal_crossentropy", "sigmoids", "bits"), ("categorical_focal_crossentropy", "softmax", "onehot"),
        ("dice", "sigmoids", "bits"), ("tversky", "sigmoids", "bits"),
        ("crossentropy", "softmax", "label"), ("ce", "softmax", "onehot"), ("crossentropy", "sigmoid", "bitcolumn")]:
    # mape's slopes reach 1e4 where a target is near 0: small steps, or the comparison is one of rounding errors
    case(f"loss {loss} {model} {target}", model, target, optimizer=(lambda: optimizers.SGD(1e-5)) if loss == "mape" else SGD, loss=loss)
for name, make, model, target in [
        ("huber delta", lambda: losses.Huber(delta=0.3), "linear", "real"),
        ("bce logits smoothing", lambda: losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), "logit", "bit"),
        ("bce smoothing", lambda: losses.BinaryCrossentropy(label_smoothing=0.2), "sigmoids", "bits"),
        ("cce logits smoothing", lambda: losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), "logits", "onehot"),
        ("cce smoothing", lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", "onehot"),
        ("cce on sigmoids", lambda: losses.CategoricalCrossentropy(), "sigmoids", "onehot"),
        ("scce logits", lambda: losses.SparseCategoricalCrossentropy(from_logits=True), "logits", "column"),
        ("scce ignore", lambda: losses.SparseCategoricalCrossentropy(ignore_class=1), "softmax", "label"),
        ("scce ignore logits", lambda: losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0), "seqlogits", "steps"),
        ("scce on sigmoids", lambda: losses.SparseCategoricalCrossentropy(), "sigmoids", "label"),
        ("scce ignore sigmoids", lambda: losses.SparseCategoricalCrossentropy(ignore_class=2), "sigmoids", "label"),
        ("focal options", lambda: losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.4, gamma=1.5, from_logits=True), "logit", "bitcolumn"),
        ("focal categorical logits", lambda: losses.CategoricalFocalCrossentropy(alpha=0.4, gamma=1.0, from_logits=True, label_smoothing=0.1), "logits", "onehot"),
        ("tversky options", lambda: losses.Tversky(alpha=0.3, beta=0.7), "sigmoids", "bits"),
        ("gce by name", lambda: losses.CategoricalGeneralizedCrossEntropy(), "softmax", "label"), ("gce", lambda: losses.CategoricalGeneralizedCrossEntropy(q=0.7), "softmax", "label"),
        ("sum", lambda: losses.MeanSquaredError(reduction="sum"), "linear", "real"),
        ("mean weighted", lambda: losses.MeanSquaredError(reduction="mean_with_sample_weight"), "linear", "real"),
        ("seq scce", lambda: losses.SparseCategoricalCrossentropy(), "seq", "steps"),
        ("seq cce", lambda: losses.CategoricalCrossentropy(), "seq", "stepsonehot")]:
    weighted = name in ("mean weighted", "huber delta", "scce logits", "bce smoothing", "scce ignore")
    # Keras loses Huber's delta when it saves
    ours = {"optimizer": {"class": "SGD", "learning_rate": 0.1}, "loss": {"class": "Huber", "delta": 0.3}} if name == "huber delta" else None
    if name == "gce by name":
        ours = {"optimizer": {"class": "SGD", "learning_rate": 0.1}, "loss": "CategoricalGeneralizedCrossEntropy"}
    case(f"loss {name}", model, target, weighted=weighted, ours=ours, optimizer=SGD, loss=make)
for name, target, make in [("circle", "label", lambda: losses.Circle()), ("circle column", "column", lambda: losses.Circle(gamma=20.0, margin=0.2)),
                           ("circle with itself", "label", lambda: losses.Circle(gamma=5.0, remove_diagonal=False)),
                           ("circle without pairs", "many", lambda: losses.Circle(gamma=10.0))]:
    case(f"loss {name}", "embeddings", target, weighted=name == "circle column", rest=name == "circle", optimizer=SGD, loss=make)
case("loss ctc", "seqlogits", "spelled", rest=True, optimizer=SGD, loss=lambda: losses.CTC())
case("loss ctc weighted", "seqlogits", "spelled", weighted=True, optimizer=lambda: optimizers.Adam(0.01), loss=lambda: losses.CTC(reduction="sum"))
case("loss mse rank fix", "linear1", "realflat", optimizer=SGD, loss="mse")
case("loss regularized", "regularized", "real", rest=True, optimizer=SGD, loss="mse")
case("loss weight of one output", "linear", "real", optimizer=SGD, loss="mse", loss_weights=lambda: 2.0,
     ours={"optimizer": {"class": "SGD", "learning_rate": 0.1}, "loss": "mse", "loss_weights": 2})
case("loss expression", "linear", "real", optimizer=SGD, loss=lambda: (lambda t, p: ops.square(t - p) * 2 + ops.abs(p)),
     ours={"optimizer": {"class": "SGD", "learning_rate": 0.1}, "loss": {"expression": "square(y_true - y_pred) * 2 + abs(y_pred)"}})

# Metrics: many at once share one training
case("metrics classes", "softmax", "onehot", weighted=True, optimizer=SGD, loss="categorical_crossentropy",
     metrics=lambda: ["accuracy", "acc", "CategoricalAccuracy", metrics.TopKCategoricalAccuracy(k=2), metrics.AUC(), metrics.AUC(),
                      metrics.Precision(), metrics.Recall(thresholds=0.3), metrics.Precision(class_id=1, thresholds=[0.2, 0.4]), metrics.F1Score(),
                      metrics.F1Score(average="macro", name="macro"), metrics.F1Score(average="weighted", threshold=0.3, name="weighted_f1"),
                      metrics.FBetaScore(beta=2.0, average="micro"), "kl_divergence", "categorical_crossentropy", "mse", "categorical_hinge",
                      metrics.OneHotMeanIoU(num_classes=3), metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2]),
                      metrics.PrecisionAtRecall(0.5, class_id=1), metrics.CategoricalCrossentropy(label_smoothing=0.1, name="smooth")],
     weighted_metrics=lambda: ["accuracy", metrics.AUC(curve="PR"), metrics.F1Score(name="f1w"), metrics.Precision(name="pw"), "mae", "mse"])
case("metrics labels", "softmax", "label", rest=True, optimizer=SGD, loss="sparse_categorical_crossentropy",
     metrics=lambda: ["accuracy", "sparse_categorical_accuracy", metrics.SparseTopKCategoricalAccuracy(k=2), "sparse_categorical_crossentropy",
                      metrics.MeanIoU(num_classes=3, sparse_y_pred=False), metrics.IoU(num_classes=3, target_class_ids=[1], sparse_y_pred=False),
                      metrics.IoU(num_classes=3, target_class_ids=[0, 1], ignore_class=1, sparse_y_pred=False)])
case("metrics column of labels", "softmax", "column", optimizer=SGD, loss="sparse_categorical_crossentropy",
     metrics=lambda: ["acc", metrics.SparseCategoricalAccuracy(name="mine")])
case("metrics binary", "sigmoid", "bitcolumn", weighted=True, optimizer=SGD, loss="bce",
     metrics=lambda: ["accuracy", metrics.BinaryAccuracy(threshold=0.3), metrics.AUC(num_thresholds=50), metrics.AUC(curve="PR", name="pr"),
                      metrics.AUC(curve="PR", summation_method="minoring", name="prmin"), metrics.AUC(summation_method="majoring", name="rocmax"),
                      metrics.AUC(thresholds=[0.3, 0.35, 0.6], name="few"), metrics.AUC(curve="PRGAIN", name="gain"), metrics.TruePositives(),
                      metrics.TrueNegatives(), metrics.FalsePositives(thresholds=[0.2, 0.5]), metrics.FalseNegatives(), metrics.Precision(),
                      metrics.Recall(), metrics.PrecisionAtRecall(0.6), metrics.RecallAtPrecision(0.4, num_thresholds=50),
                      metrics.SensitivityAtSpecificity(0.5), metrics.SensitivityAtSpecificity(0.2, num_thresholds=1),
                      metrics.SpecificityAtSensitivity(0.7, num_thresholds=2), metrics.BinaryIoU(), metrics.BinaryIoU(target_class_ids=[1], threshold=0.4),
                      "binary_crossentropy", "hinge", "squared_hinge", metrics.R2Score(), "poisson"],
     weighted_metrics=lambda: [metrics.SpecificityAtSensitivity(0.5, name="sw"), metrics.BinaryIoU(name="iw"), metrics.BinaryIoU(name="ifw", dtype="float32"),
                               metrics.Recall(name="rw"), metrics.BinaryAccuracy(name="bw"), metrics.R2Score(name="r2w")])
case("metrics binary flat", "sigmoid", "bit", optimizer=SGD, loss="bce", metrics=lambda: ["accuracy", metrics.AUC(), metrics.Recall()])
case("metrics logits", "logit", "bitcolumn", optimizer=SGD, loss=lambda: losses.BinaryCrossentropy(from_logits=True),
     metrics=lambda: [metrics.AUC(from_logits=True), metrics.BinaryAccuracy(threshold=0.0), metrics.BinaryCrossentropy(from_logits=True)])
case("metrics regression", "positive", "positive", weighted=True, optimizer=SGD, loss="mse",
     metrics=lambda: ["mae", "mape", "msle", "RootMeanSquaredError", metrics.CosineSimilarity(), metrics.LogCoshError(), metrics.R2Score(),
                      metrics.R2Score(class_aggregation="variance_weighted_average", name="r2v"), metrics.MeanSquaredError(), "mean_squared_error",
                      metrics.Accuracy(name="equal"), metrics.PearsonCorrelation(), metrics.ConcordanceCorrelation(), "pearson_correlation"],
     weighted_metrics=lambda: ["mse", metrics.PearsonCorrelation(name="pw"), metrics.RootMeanSquaredError(name="rmsew"), metrics.MeanAbsoluteError()])
case("metrics seq", "seq", "steps", optimizer=SGD, loss="sparse_categorical_crossentropy",
     metrics=lambda: ["accuracy", metrics.SparseTopKCategoricalAccuracy(k=2)])
case("metrics seq onehot", "seq", "stepsonehot", optimizer=SGD, loss="categorical_crossentropy",
     metrics=lambda: ["accuracy", metrics.AUC(), metrics.Precision()])
case("metrics short form", "softmax", "onehot", optimizer=SGD, loss="categorical_crossentropy",
     metrics=lambda: [metrics.AUC(num_thresholds=20, curve="PR"), "accuracy", metrics.Recall(class_id=2)],
     ours={"optimizer": {"class": "sgd", "learning_rate": 0.1}, "loss": {"class": "CategoricalCrossentropy"},
           "metrics": [{"class": "AUC", "num_thresholds": 20, "curve": "PR"}, "accuracy", {"class": "Recall", "class_id": 2}]})

# Masks. Keras on JAX loses an output's mask on the way to the metrics of a training step, not of an evaluation; on TensorFlow it counts in both
case("masked seq", "padded", "steps", rest=True, optimizer=SGD, loss="sparse_categorical_crossentropy",
     metrics=lambda: ["accuracy", metrics.SparseTopKCategoricalAccuracy(k=2), metrics.SparseCategoricalCrossentropy()])
case("masked seq onehot", "padded", "stepsonehot", optimizer=SGD, loss="mse", metrics=lambda: ["accuracy", "mae", metrics.AUC()])
case("masked seq sum", "padded", "stepsonehot", optimizer=SGD, loss=lambda: losses.CategoricalCrossentropy(reduction="sum"))
case("masked seq mean", "padded", "stepsonehot", optimizer=SGD, loss=lambda: losses.MeanSquaredError(reduction="mean_with_sample_weight"))
case("masked seq ignore", "padded", "steps", optimizer=SGD, loss=lambda: losses.SparseCategoricalCrossentropy(ignore_class=1))
case("masked mean", "paddedmean", "label", rest=True, optimizer=SGD, loss="sparse_categorical_crossentropy", metrics=lambda: ["accuracy"])

# Recurrent layers
case("recurrent last", "paddedlstm", "label", rest=True, optimizer=lambda: optimizers.Adam(0.02), loss="sparse_categorical_crossentropy", metrics=lambda: ["accuracy"])
case("recurrent all", "paddedboth", "steps", optimizer=lambda: optimizers.RMSprop(0.02, momentum=0.5), loss="sparse_categorical_crossentropy")

# Attention
case("attention adam", "paddedattention", "steps", rest=True, optimizer=lambda: optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=lambda: ["accuracy"])
case("attention groups", "seqgroups", "steps", optimizer=lambda: optimizers.SGD(0.05, momentum=0.9), loss="sparse_categorical_crossentropy")

# Several outputs
case("outputs list", "two", ("onehot", "realcolumn"), optimizer=SGD, loss=lambda: ["categorical_crossentropy", "mse"],
     loss_weights=lambda: [0.3, 2.0], metrics=lambda: [["accuracy", "mse"], "mae"], weighted_metrics=lambda: [["accuracy"], []])
case("outputs dict", "two", ("label", "realflat"), weighted=True, rest=True, optimizer=SGD,
     loss=lambda: {"b": "mse", "a": "sparse_categorical_crossentropy"}, loss_weights=lambda: {"a": 0.5, "b": 1.5},
     metrics=lambda: {"b": ["mae"]}, weighted_metrics=lambda: {"a": "accuracy", "b": ["mae"]})
case("outputs one loss for both", "two", ("onehot", "realcolumn"), optimizer=SGD, loss="mse")
case("outputs without a loss", "two", ("onehot", "realcolumn"), optimizer=SGD, loss=lambda: [None, "mse"], metrics=lambda: [["accuracy"], []])

# Optimizers
DEFAULT = dict(model="linear", target="real", loss="mse")
for name, make in [
        ("sgd", lambda: optimizers.SGD(0.05)), ("sgd momentum", lambda: optimizers.SGD(0.05, momentum=0.9)),
        ("sgd nesterov", lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True)), ("adam", lambda: optimizers.Adam(0.01)),
        ("adam options", lambda: optimizers.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-3)),
        ("adam amsgrad", lambda: optimizers.Adam(0.01, amsgrad=True, beta_2=0.5)), ("adamw", lambda: optimizers.AdamW(0.01, weight_decay=0.1)),
        ("rmsprop", lambda: optimizers.RMSprop(0.01, epsilon=1e-3)), ("rmsprop all", lambda: optimizers.RMSprop(0.01, rho=0.8, momentum=0.5, epsilon=1e-4, centered=True)),
        ("adagrad", lambda: optimizers.Adagrad(0.05, initial_accumulator_value=0.2, epsilon=1e-3)),
        ("adadelta", lambda: optimizers.Adadelta(1.0, rho=0.8, epsilon=1e-5)), ("adamax", lambda: optimizers.Adamax(0.01)),
        ("nadam", lambda: optimizers.Nadam(0.01)), ("lion", lambda: optimizers.Lion(0.003)), ("ftrl", lambda: optimizers.Ftrl(0.1)),
        ("ftrl all", lambda: optimizers.Ftrl(0.1, learning_rate_power=-0.3, initial_accumulator_value=0.3, l1_regularization_strength=0.01,
                                             l2_regularization_strength=0.02, l2_shrinkage_regularization_strength=0.03, beta=0.1)),
        ("decay", lambda: optimizers.SGD(0.05, weight_decay=0.1)), ("clipnorm", lambda: optimizers.SGD(0.05, clipnorm=0.1)),
        ("global clipnorm", lambda: optimizers.Adam(0.01, global_clipnorm=0.1)), ("clipvalue", lambda: optimizers.SGD(0.05, clipvalue=0.05)),
        ("ema", lambda: optimizers.SGD(0.05, use_ema=True, ema_momentum=0.7)),
        ("ema overwrite", lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4)),
        ("accumulate adam clip decay", lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2, clipnorm=0.1, weight_decay=0.1)),
        ("accumulate nadam ema", lambda: optimizers.Nadam(0.01, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.6)),
        ("accumulate global", lambda: optimizers.RMSprop(0.01, gradient_accumulation_steps=2, global_clipnorm=0.2)),
        ("adam named", lambda: optimizers.Adam(0.01, name="mine")),
        ("lamb", lambda: optimizers.Lamb(0.02)), ("lamb options", lambda: optimizers.Lamb(0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1)),
        ("lamb everything", lambda: optimizers.Lamb(0.02, gradient_accumulation_steps=2, clipnorm=0.1, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=3)),
        ("adafactor", lambda: optimizers.Adafactor(0.05)),
        ("adafactor options", lambda: optimizers.Adafactor(0.1, beta_2_decay=-0.5, epsilon_1=1e-8, epsilon_2=0.01, clip_threshold=0.7, relative_step=False, weight_decay=0.1)),
        ("adafactor schedule", lambda: optimizers.Adafactor(schedules.ExponentialDecay(0.1, 3, 0.5), clipvalue=0.05)),
        ("muon", lambda: optimizers.Muon(0.02)), ("muon excluding", lambda: optimizers.Muon(0.02, exclude_layers=["dense_1/"], adam_lr_ratio=0.5, adam_weight_decay=None)),
        ("muon options", lambda: optimizers.Muon(0.02, nesterov=False, momentum=0.8, ns_steps=3, muon_a=3.0, muon_b=-4.0, muon_c=2.0, rms_rate=None, weight_decay=None)),
        ("muon accumulating", lambda: optimizers.Muon(0.02, gradient_accumulation_steps=2, global_clipnorm=0.1, use_ema=True, ema_momentum=0.6))]:
    case(f"optimizer {name}", optimizer=make, **DEFAULT)
for name, make in [("adafactor", lambda: optimizers.Adafactor(0.05)), ("lamb", lambda: optimizers.Lamb(0.02)), ("muon", lambda: optimizers.Muon(0.02))]:
    case(f"optimizer {name} on cubes", "cubes", "steps", rest=True, optimizer=make, loss="sparse_categorical_crossentropy")
case("optimizer constrained", "constrained", "real", optimizer=lambda: optimizers.Adam(0.05), loss="mse")
case("optimizer constrained ema", "constrained", "real", optimizer=lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
     loss="mse")
case("optimizer by name", optimizer="adam", **DEFAULT)
case("optimizer missing", ours={"loss": "mse"}, **DEFAULT)

# Schedules
for name, make in [
        ("exponential", lambda: schedules.ExponentialDecay(0.1, 5, 0.5)), ("exponential staircase", lambda: schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True)),
        ("inverse", lambda: schedules.InverseTimeDecay(0.1, 4, 0.7)), ("inverse staircase", lambda: schedules.InverseTimeDecay(0.1, 4, 0.7, staircase=True)),
        ("polynomial", lambda: schedules.PolynomialDecay(0.1, 6, 0.01, power=2.0)), ("polynomial cycle", lambda: schedules.PolynomialDecay(0.1, 6, 0.01, power=0.5, cycle=True)),
        ("piecewise", lambda: schedules.PiecewiseConstantDecay([2, 5, 11], [0.1, 0.05, 0.02, 0.01])), ("cosine", lambda: schedules.CosineDecay(0.1, 7, alpha=0.1)),
        ("cosine warm-up", lambda: schedules.CosineDecay(0.01, 7, warmup_target=0.1, warmup_steps=3)),
        ("restarts", lambda: schedules.CosineDecayRestarts(0.1, 4, t_mul=2.0, m_mul=0.8, alpha=0.1)),
        ("restarts equal", lambda: schedules.CosineDecayRestarts(0.1, 4, t_mul=1.0, m_mul=0.8))]:
    case(f"schedule {name}", optimizer=lambda make=make: optimizers.Adam(make()), **DEFAULT)

# What is refused, and the words that must be in the message
REFUSED = [
    ("softmax", "onehot", {"loss": "categorical_crossentrpy"}, ["compile.loss", "categorical_crossentropy"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": ["acuracy"]}, ["compile.metrics[0]", "'accuracy'"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": {"class": "Adm"}}, ["compile.optimizer", "'Adam'"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": {"class": "Adam", "learning_rat": 1}}, ["compile.optimizer", "learning_rate"]),
    ("softmax", "onehot", {"loss": "mse", "optimizr": "adam"}, ["compile.optimizr", "'optimizer'"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": {"class": "SGD", "clipnorm": 1, "clipvalue": 1}}, ["only one of"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": "LossScaleOptimizer"}, ["not available here"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": {"class": "Muon", "exclude_layers": ["a(?=b)"]}}, ["exclude_layers[0]", "regular expression"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": {"class": "Muon", "exclude_layers": "a"}}, ["exclude_layers", "list"]),
    ("softmax", "onehot", {"loss": "circle"}, ["compile.loss", "one label a sample"]),
    ("softmax", "label", {"loss": "ctc"}, ["compile.loss", "logits of shape (batch, steps, classes)"]),
    ("seq", "label", {"loss": "ctc"}, ["compile.loss", "labels of shape (batch, length)"]),
    ("seq", "label", {"loss": "circle"}, ["compile.loss", "embeddings of shape"]),
    ("softmax", "onehot", {"loss": "sparse_categorical_crossentropy"}, ["compile.loss", "(8, 3)"]),
    ("softmax", "label", {"loss": "categorical_crossentropy"}, ["compile.loss", "sparse_categorical_crossentropy"]),
    ("softmax", "onehot", {"loss": {"class": "MeanSquaredError", "reduction": "none"}}, ["compile.loss.reduction"]),
    ("softmax", "onehot", {"loss": {"expression": "square(y_tru - y_pred)"}}, ["compile.loss", "y_true"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": [{"class": "Precision", "class_id": 3}]}, ["class_id", "3 classes"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": [{"class": "AUC", "multi_label": True}]}, ["multi_label"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": [{"class": "OneHotIoU", "num_classes": 3, "target_class_ids": [3]}]}, ["target_class_ids", "class 3", "3 classes"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": [{"class": "PrecisionAtRecall", "recall": 1.5}]}, ["recall", "between 0 and 1"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": ["kld"]}, ["unknown metric 'kld'"]),
    ("softmax", "onehot", {"loss": "mse", "metrics": [{"class": "PearsonCorrelation", "axis": 0}]}, ["axis of a sample"]),
    ("softmax", "onehot", {}, ["loss"]),
    ("softmax", "onehot", {"loss": "mse", "optimizer": None}, ["optimizer"]),
    ("two", ("onehot", "realcolumn"), {"loss": {"a": "mse"}}, ["compile.loss", "'b'"]),
    ("two", ("onehot", "realcolumn"), {"loss": {"a": "mse", "bb": "mse"}}, ["compile.loss", "'bb'"]),
    ("two", ("onehot", "realcolumn"), {"loss": ["mse"]}, ["2 outputs", "1 losses"]),
    ("two", ("onehot", "realcolumn"), {"loss": "mse", "metrics": ["accuracy"]}, ["2 outputs"]),
]


def tensor(array):
    return {"shape": list(np.shape(array)), "values": np.asarray(array).astype("float64").ravel().tolist()}


def targets_of(case):
    return case["target"] if isinstance(case["target"], tuple) else (case["target"],)


def features(case):
    return "seq" if case["model"] == "cubes" else next((kind for kind in ("seq", "padded") if case["model"].startswith(kind)), "x")


def dataset_name(case, part):
    return f"{part} {features(case)} {'+'.join(targets_of(case))} {case['weighted']} {case['rest']}"


def dataset(case, data):
    x, y, w = arrays(case, data)
    weight = tensor(w) if w is not None else None
    return {"x": [tensor(x)], "y": [tensor(one) for one in y], "w": [weight] * len(y)}


def arrays(case, data):
    n = REST if case["rest"] and data is TRAIN else len(data["w"])
    x = data[features(case)]
    weights = data["w"][:n] if case["weighted"] and data is TRAIN else None
    return x[:n], [data["y"][name][:n] for name in targets_of(case)], weights


def train_with_keras(case):
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    quick_jax.numpy_weights()
    model = MODELS[case["model"]]()
    config = json.loads(model.to_json())
    made = {key: value() if callable(value) else value for key, value in case["compile"].items()}
    model.compile(run_eagerly=True, **made)
    before = [np.array(w) for layer in model.layers for w in layer.weights]
    x, y, w = arrays(case, TRAIN)
    x_validation, y_validation, _ = arrays(case, VALIDATION)
    single = len(y) == 1
    compile_config = case["ours"] or model.get_compile_config()
    fit = model.fit(x, y[0] if single else y, sample_weight=w, batch_size=BATCH, epochs=EPOCHS, shuffle=False,
                    validation_data=(x_validation, y_validation[0] if single else y_validation), verbose=0)
    case["keras"] = {
        "model": model, "history": fit.history, "before": before, "after": [np.array(w) for layer in model.layers for w in layer.weights],
        "optimizer": [np.array(v) for v in model.optimizer.variables], "compile_config": json.loads(json.dumps(compile_config)),
        "directions": {m.name: getattr(m, "_direction", None) for m in model.metrics[1].metrics} if case["compile"].get("metrics") else {}}
    return {"name": case["name"], "model": config, "compile": case["keras"]["compile_config"], "weights": [tensor(w) for w in before],
            "train": dataset_name(case, "train"), "validation": dataset_name(case, "validation"), "batch_size": BATCH, "epochs": EPOCHS,
            "finalize": True}


failures = []


def check(ok, case, text):
    if not ok:
        failures.append(f"{case}: {text}")


def number(value):
    return {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}.get(value, value) if isinstance(value, str) else value


def near(ours, theirs, tolerance):
    ours = np.array([number(v) for v in np.ravel(ours).tolist()], "float64")
    theirs = np.ravel(np.asarray(theirs, "float64"))
    return ours.shape == theirs.shape and np.all((np.abs(ours - theirs) <= tolerance) | (np.isnan(ours) & np.isnan(theirs)))


def compare_history(case, result):
    ours, theirs, name = dict(result["history"]), dict(case["keras"]["history"]), case["name"]
    if case["model"] == "padded":  # see there: only the loss of training is comparable
        ours, theirs = ({k: v for k, v in history.items() if k.startswith("val_") or k == "loss"} for history in (ours, theirs))
    check(set(ours) == set(theirs), name, f"history keys are {sorted(ours)}, Keras has {sorted(theirs)}")
    for key in set(ours) & set(theirs):
        values = [float(np.mean(v)) for v in theirs[key]]
        check(near(ours[key], values, 5e-5 * np.abs(values) + 1e-5), name, f"{key} is {ours[key]}, Keras has {values}")


def compare_variables(case, result):
    keras_run, name = case["keras"], case["name"]
    for i, (ours, before, after) in enumerate(zip(result["weights"], keras_run["before"], keras_run["after"])):
        update = np.max(np.abs(after - before))
        check(update > 0 or name == "outputs without a loss", name, f"weight {i} did not change: nothing is compared")
        check(near(ours, after, 1e-3 * update + 2e-7), name, f"weight {i} is {ours[:4]}, Keras has {after.ravel()[:4]}, update {update}")
    check(len(result["optimizer"]) == len(keras_run["optimizer"]), name,
          f"{len(result['optimizer'])} optimizer variables, Keras has {len(keras_run['optimizer'])}")
    for i, (ours, theirs) in enumerate(zip(result["optimizer"], keras_run["optimizer"])):
        check(near(ours, theirs, 1e-3 * np.max(np.abs(theirs)) + 1e-9), name,
              f"optimizer variable {i} ({result['optimizer_paths'][i]}) is {ours[:4]}, Keras has {theirs.ravel()[:4]}")


def compare_schedule(case, result):
    rate = case["keras"]["model"].optimizer._learning_rate
    if not isinstance(rate, schedules.LearningRateSchedule):
        return
    theirs = np.array([float(rate(i)) for i in range(40)])
    check(near(result["schedule"], theirs, 1e-5 * theirs + 1e-9), case["name"], f"schedule is {result['schedule']}, Keras has {theirs.tolist()}")


def compare_config(case, result):
    """Keras compiles from what we store, and gets the same optimizer, loss and metrics."""
    stored, name, model = result["compile_config"], case["name"], case["keras"]["model"]
    if "expression" in json.dumps(case["keras"]["compile_config"]):
        check(stored is None, name, "an expression was written as compile_config")
        return
    try:
        fresh = MODELS[case["model"]]()
        fresh.compile_from_config(json.loads(json.dumps(stored)))
    except Exception as error:
        check(False, name, f"Keras cannot compile from {json.dumps(stored)}: {error}")
        return
    ours, theirs = fresh.optimizer.get_config(), model.optimizer.get_config()
    ours.pop("name"), theirs.pop("name")
    check(ours == theirs and type(fresh.optimizer) is type(model.optimizer), name, f"optimizer is stored as {ours}, Keras has {theirs}")


def compare(case, result):
    if "error" in result:
        check(False, case["name"], result["error"])
        return
    compare_history(case, result)
    compare_variables(case, result)
    compare_schedule(case, result)
    compare_config(case, result)
    for key, direction in case["keras"]["directions"].items():
        if key in result["directions"]:
            check(result["directions"][key] == direction, case["name"], f"direction of {key} is {result['directions'][key]}, Keras has {direction}")


def refused_job(index, model, target, compile):
    one = dict(name=f"refused {index}", model=model, target=target, weighted=False, rest=False)
    keras.utils.clear_session(free_memory=False)
    built = MODELS[model]()
    return one, {"name": one["name"], "model": json.loads(built.to_json()), "compile": compile,
                 "weights": [tensor(w) for layer in built.layers for w in layer.weights], "train": dataset_name(one, "train"), "batch_size": BATCH,
                 "epochs": 1}


def compare_all(cases, results):
    assert len(results) == len(cases) + len(REFUSED)
    for one, result in zip(cases, results):
        compare(one, result)
    for (model, target, compile, words), result in zip(REFUSED, results[len(cases):]):
        text = result.get("error", "")
        check(text and all(word in text for word in words), f"refused {compile}", f"the message is '{text}', expected {words}")


def main():
    driver = sys.argv[1]
    wanted = os.environ.get("ONLY", "")
    cases = [c for c in CASES if wanted in c["name"]]
    jobs = [train_with_keras(c) for c in cases]
    refused = [refused_job(i, *r[:3]) for i, r in enumerate(REFUSED)]
    datasets = {}
    for one in cases + [r[0] for r in refused]:
        datasets[dataset_name(one, "train")] = dataset(one, TRAIN)
        datasets[dataset_name(one, "validation")] = dataset(one, VALIDATION)
    with WorkFolder() as folder:
        paths = [os.path.join(folder, "cases.json"), os.path.join(folder, "results.json")]
        with open(paths[0], "w") as file:
            json.dump({"datasets": datasets, "cases": jobs + [r[1] for r in refused]}, file)
        for backend in sys.argv[2:] or ["reference", "cpu"]:
            subprocess.run([driver, *paths, backend], check=True)
            with open(paths[1]) as file:
                compare_all(cases, json.load(file))
    for failure in failures:
        print(failure[:1500])
    print(f"{len(cases)} cases, {len(REFUSED)} refusals, {len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
