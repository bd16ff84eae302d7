"""JAX with optax as a peer, written by hand: step (one jitted call a step, samples gathered inside) and scan (a whole epoch of steps in one
jitted lax.scan: no Python between steps)."""
import os

import peer

MODEL, VARIANT, THREADS, X, Y = peer.arguments()
DEVICE = os.environ.get("PEER_DEVICE", "cpu")
os.environ["JAX_PLATFORMS"] = DEVICE  # one thread: the caller has bound the process to one core
import jax
import jax.numpy as jnp
import numpy
import optax
from jax import lax

import models

RNG = numpy.random.default_rng(1)
if DEVICE != "cpu":
    jax.config.update("jax_default_matmul_precision", "highest")  # float32, no TF32


def glorot(*shape):
    fan = numpy.prod(shape[:-1]) + shape[-1]
    return jnp.asarray(RNG.uniform(-1, 1, shape) * numpy.sqrt(6 / fan), jnp.float32)


def dense_init(a, b):
    return {"w": glorot(a, b), "b": jnp.zeros(b)}


def dense(p, x):
    return x @ p["w"] + p["b"]


def conv(w, x, stride=1, padding="SAME"):
    return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def mlp_init(*units):
    return [dense_init(a, b) for a, b in zip(units, units[1:])], {}


def mlp(p, s, x, training):
    for layer in p[:-1]:
        x = jax.nn.relu(dense(layer, x))
    return dense(p[-1], x), s


def cnn_init():
    return {"c1": glorot(3, 3, 1, 32), "b1": jnp.zeros(32), "c2": glorot(3, 3, 32, 64), "b2": jnp.zeros(64), "d1": dense_init(9216, 128), "d2": dense_init(128, 10)}, {}


def cnn(p, s, x, training):
    x = jax.nn.relu(conv(p["c1"], x, padding="VALID") + p["b1"])
    x = jax.nn.relu(conv(p["c2"], x, padding="VALID") + p["b2"])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").reshape(x.shape[0], -1)
    return dense(p["d2"], jax.nn.relu(dense(p["d1"], x))), s


BLOCKS = [("s0b0", 16, 16, 1), ("s0b1", 16, 16, 1), ("s1b0", 16, 32, 2), ("s1b1", 32, 32, 1), ("s2b0", 32, 64, 2), ("s2b1", 64, 64, 1)]


def resnet_init():
    p, s = {}, {}

    def conv_norm(name, size, a, b):
        p[name] = {"w": glorot(size, size, a, b), "gamma": jnp.ones(b), "beta": jnp.zeros(b)}
        s[name] = {"mean": jnp.zeros(b), "variance": jnp.ones(b)}

    conv_norm("stem", 3, 3, 16)
    for name, a, b, stride in BLOCKS:
        conv_norm(name + "1", 3, a, b)
        conv_norm(name + "2", 3, b, b)
        if stride == 2:
            conv_norm(name + "s", 1, a, b)
    p["logits"] = dense_init(64, 10)
    return p, s


def resnet(p, s, x, training):
    new = {}

    def conv_norm(name, x, stride):
        y, q, old = conv(p[name]["w"], x, stride), p[name], s[name]
        mean, variance = (y.mean((0, 1, 2)), y.var((0, 1, 2))) if training else (old["mean"], old["variance"])
        new[name] = {"mean": 0.99 * old["mean"] + 0.01 * mean, "variance": 0.99 * old["variance"] + 0.01 * variance} if training else old
        scale = q["gamma"] * lax.rsqrt(variance + 1e-3)
        return y * scale + (q["beta"] - mean * scale)

    x = jax.nn.relu(conv_norm("stem", x, 1))
    for name, _, _, stride in BLOCKS:
        y = conv_norm(name + "2", jax.nn.relu(conv_norm(name + "1", x, stride)), 1)
        x = jax.nn.relu(y + (conv_norm(name + "s", x, stride) if stride == 2 else x))
    return dense(p["logits"], x.mean((1, 2))), lax.stop_gradient(new)


def lstm_init():
    return {"w": glorot(32, 512), "u": glorot(128, 512), "b": jnp.zeros(512), "d": dense_init(128, 10)}, {}


def lstm(p, s, x, training):
    def cell(carry, z):
        h, c = carry
        i, f, g, o = jnp.split(z + h @ p["u"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((x.shape[0], 128))
    (h, _), _ = lax.scan(cell, (zero, zero), (x @ p["w"] + p["b"]).transpose(1, 0, 2))
    return dense(p["d"], h), s


def gru_init():
    return {"w": glorot(32, 384), "u": glorot(128, 384), "b": jnp.zeros(384), "r": jnp.zeros(384), "d": dense_init(128, 10)}, {}


def gru(p, s, x, training):
    def cell(h, a):
        b = h @ p["u"] + p["r"]
        z, r = jax.nn.sigmoid(a[:, :128] + b[:, :128]), jax.nn.sigmoid(a[:, 128:256] + b[:, 128:256])
        return z * h + (1 - z) * jnp.tanh(a[:, 256:] + r * b[:, 256:]), None

    h, _ = lax.scan(cell, jnp.zeros((x.shape[0], 128)), (x @ p["w"] + p["b"]).transpose(1, 0, 2))
    return dense(p["d"], h), s


def transformer_init():
    norm = lambda: {"gamma": jnp.ones(64), "beta": jnp.zeros(64)}
    block = lambda: {"a": norm(), "qkv": dense_init(64, 192), "out": dense_init(64, 64), "b": norm(), "up": dense_init(64, 256), "down": dense_init(256, 64)}
    return {"embed": glorot(65, 64), "blocks": [block(), block()], "norm": norm(), "logits": dense_init(64, 65)}, {}


def transformer(p, s, tokens, training):
    def norm(q, x):
        mean = x.mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-3) * q["gamma"] + q["beta"]

    x, mask = p["embed"][tokens], jnp.tril(jnp.ones((64, 64), bool))
    n = x.shape[0]
    for b in p["blocks"]:
        q, k, v = jnp.moveaxis(dense(b["qkv"], norm(b["a"], x)).reshape(n, 64, 3, 4, 16), 2, 0)
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) * 0.25
        y = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(jnp.where(mask, scores, -1e9)), v).reshape(n, 64, 64)
        x = x + dense(b["out"], y)
        x = x + dense(b["down"], jax.nn.gelu(dense(b["up"], norm(b["b"], x)), approximate=False))
    return dense(p["logits"], norm(p["norm"], x)), s


MLP = {1: (64, 32, 10), 2: (64, 128, 10), 3: (784, 512, 512, 10), 4: (784, 512, 512, 10), 10: (784, 2048, 2048, 10)}
INIT, FORWARD = {5: (cnn_init, cnn), 6: (resnet_init, resnet), 7: (lstm_init, lstm), 8: (gru_init, gru), 9: (transformer_init, transformer)}.get(
    MODEL, (lambda: mlp_init(*MLP[MODEL]), mlp))
OPTIMIZER = optax.sgd(0.01) if MODEL == 1 else optax.sgd(0.01, momentum=0.9) if MODEL == 6 else optax.adam(0.001, eps=1e-7)


def loss_of(p, s, x, y, training):
    logits, s = FORWARD(p, s, x, training)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), s


def update(state, chosen, data_x, data_y):
    p, s, o = state
    (loss, s), gradient = jax.value_and_grad(loss_of, has_aux=True)(p, s, data_x[chosen], data_y[chosen], True)
    change, o = OPTIMIZER.update(gradient, o, p)
    return (optax.apply_updates(p, change), s, o), loss


one_step = jax.jit(update, donate_argnums=0)


@jax.jit
def scan_epoch(state, order, data_x, data_y):
    return lax.scan(lambda carry, chosen: update(carry, chosen, data_x, data_y), state, order)


def main():
    size, x, y = models.batch(MODEL), jnp.asarray(X), jnp.asarray(Y)
    p, s = INIT()
    state, steps, shuffle = (p, s, OPTIMIZER.init(p)), len(X) // size, numpy.random.default_rng(2)

    def epoch():
        nonlocal state
        order = shuffle.permutation(len(X)).astype(numpy.int32)[:steps * size].reshape(steps, size)
        if VARIANT == "scan":
            state, losses = scan_epoch(state, order, x, y)
        else:
            for chosen in order:
                state, losses = one_step(state, chosen, x, y)
        losses.block_until_ready()
        return steps

    forward = jax.jit(lambda p, s, x: FORWARD(p, s, x, False)[0])
    loss = jax.jit(lambda p, s, x, y: loss_of(p, s, x, y, False)[0])

    def evaluate(n, seconds):
        n, (p, s, _) = int(n), state
        starts = range(0, len(X) - n + 1, n)[:64]

        def some():
            total = sum(loss(p, s, x[i:i + n], y[i:i + n]) for i in starts)
            total.block_until_ready()
            return len(starts)

        some()
        return peer.repeat(seconds, some)

    def predict(n, seconds):
        batch, (p, s, _) = X[:int(n)], state

        def once():
            numpy.asarray(forward(p, s, batch))
            return 1

        once()
        return peer.repeat(seconds, once)

    epoch()
    peer.serve(train=lambda seconds: peer.repeat(seconds, epoch), evaluate=evaluate, predict=predict)


main()
