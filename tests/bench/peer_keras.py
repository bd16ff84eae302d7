"""Keras' fit on TensorFlow, JAX and PyTorch as peers: their defaults; tensorflow-xla is TensorFlow with jit_compile, -bfloat16 is
the policy mixed_bfloat16. A step is timed from
the end of an epoch's second batch, so that what an epoch costs (iterators, callbacks) does not count."""
import os
import time

import peer

MODEL, VARIANT, THREADS, X, Y = peer.arguments()
os.environ.update(KERAS_BACKEND=VARIANT.split("-")[0], JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
from keras import layers

import models

if VARIANT.endswith("-bfloat16"):
    keras.config.set_dtype_policy("mixed_bfloat16")
if VARIANT.startswith("tensorflow"):
    import tensorflow
    tensorflow.config.threading.set_intra_op_parallelism_threads(THREADS)
    tensorflow.config.threading.set_inter_op_parallelism_threads(THREADS)
if VARIANT == "torch":
    import torch
    torch.set_num_threads(THREADS)


def graph(model):
    """Model from the layers of models.py, which are in Keras' own words."""
    made, known = {}, []
    for spec in model:
        arguments = {k: v for k, v in spec.items() if k not in ("class", "inputs", "call")}
        if spec["class"] == "InputLayer":
            made[spec["name"]] = keras.Input(arguments.pop("shape"), **arguments)
            known.append(made[spec["name"]])
        else:
            given = [made[name] for name in spec["inputs"]]
            layer = getattr(layers, spec["class"])(**arguments)
            call = spec.get("call", {})
            made[spec["name"]] = layer(*given, **call) if spec["class"] == "MultiHeadAttention" else layer(given if len(given) > 1 else given[0], **call)
    return keras.Model(known, made[model[-1]["name"]])


def build():
    _, specs, optimizer, _, shape, _ = models.MODELS[MODEL]
    if specs[0]["class"] == "InputLayer":
        net = graph(specs)
    else:
        net = keras.Sequential([keras.Input(shape)] + [getattr(layers, s["class"])(**{k: v for k, v in s.items() if k != "class"}) for s in specs])
    optimizer = dict(optimizer)
    net.compile(getattr(keras.optimizers, optimizer.pop("class"))(**optimizer), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=True if VARIANT.endswith("-xla") else "auto")
    return net


class Clock(keras.callbacks.Callback):
    seconds, steps = 0.0, 0

    def on_train_batch_end(self, batch, logs=None):
        self.now = time.perf_counter()
        if batch == 1:
            self.start = self.now
        elif batch > 1:
            self.last = batch

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self.start
        self.steps += self.last - 1


def main():
    keras.utils.set_random_seed(1)
    net, size = build(), models.batch(MODEL)

    def train(seconds):
        clock, end = Clock(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            net.fit(X, Y, batch_size=size, verbose=0, callbacks=[clock])
        return 1e3 * clock.seconds / clock.steps

    def evaluate(n, seconds):
        n = int(n)
        x, y = X[:64 * n], Y[:64 * n]
        return peer.repeat(seconds, lambda: net.evaluate(x, y, batch_size=n, verbose=0) and len(x) // n)

    def predict(n, seconds):
        batch = X[:int(n)]
        net.predict_on_batch(batch)
        return peer.repeat(seconds, lambda: net.predict_on_batch(batch) is not None)

    net.fit(X, Y, batch_size=size, verbose=0)
    peer.serve(train=train, evaluate=evaluate, predict=predict)


main()
