"""The ten models of ./dev bench models: what antler is asked to train, and the data that it and its peers train on.

Every model is trained in float32 on shuffled batches from memory with sparse categorical cross-entropy on logits. Data are random
numbers of a fixed seed: how long a step takes does not depend on them. The peers build the same models from the number alone
(peer_jax.py, peer_torch.py, peer_keras.py).
"""
import numpy

LOSS = {"class": "SparseCategoricalCrossentropy", "from_logits": True}
ADAM = {"class": "Adam", "learning_rate": 0.001}


def dense(units, activation=None, **more):
    return {"class": "Dense", "units": units, **({"activation": activation} if activation else {}), **more}


def mlp(*units):
    return [dense(n, "relu") for n in units] + [dense(10)]


def resnet():
    """Stem of 16, three stages of two basic blocks (16, 32, 64 channels); the first block of a later stage halves the picture, its
    shortcut is a 1x1 convolution with stride 2 and batch normalization."""
    layers = [{"class": "InputLayer", "name": "image", "shape": [32, 32, 3]}]

    def add(cls, inputs, name, **arguments):
        layers.append({"class": cls, "name": name, "inputs": inputs if isinstance(inputs, list) else [inputs], **arguments})
        return name

    def conv_norm(x, name, filters, size, stride):
        x = add("Conv2D", x, name, filters=filters, kernel_size=size, strides=stride, padding="same", use_bias=False)
        return add("BatchNormalization", x, name + "_norm")

    x = add("Activation", conv_norm("image", "stem", 16, 3, 1), "stem_relu", activation="relu")
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(2):
            name, stride = f"s{stage}b{block}", 2 if stage and not block else 1
            y = add("Activation", conv_norm(x, name + "_conv1", filters, 3, stride), name + "_relu1", activation="relu")
            y = conv_norm(y, name + "_conv2", filters, 3, 1)
            shortcut = conv_norm(x, name + "_short", filters, 1, stride) if stride == 2 else x
            x = add("Activation", add("Add", [y, shortcut], name + "_add"), name + "_relu2", activation="relu")
    x = add("GlobalAveragePooling2D", x, "pool")
    add("Dense", x, "logits", units=10)
    return layers


def transformer():
    """Two pre-norm blocks, 64 wide, 4 heads of 16, causal; MLP of 256 with gelu (erf)."""
    layers = [{"class": "InputLayer", "name": "tokens", "shape": [64], "dtype": "int32"},
              {"class": "Embedding", "name": "embed", "input_dim": 65, "output_dim": 64, "inputs": ["tokens"]}]

    def add(cls, inputs, name, **arguments):
        layers.append({"class": cls, "name": name, "inputs": inputs if isinstance(inputs, list) else [inputs], **arguments})
        return name

    x = "embed"
    for b in range(2):
        y = add("LayerNormalization", x, f"norm_a{b}")
        y = add("MultiHeadAttention", [y, y], f"attention{b}", num_heads=4, key_dim=16, call={"use_causal_mask": True})
        x = add("Add", [x, y], f"add_a{b}")
        y = add("LayerNormalization", x, f"norm_b{b}")
        y = add("Dense", y, f"up{b}", units=256, activation="gelu")
        y = add("Dense", y, f"down{b}", units=64)
        x = add("Add", [x, y], f"add_b{b}")
    x = add("LayerNormalization", x, "norm")
    add("Dense", x, "logits", units=65)
    return layers


CNN = [{"class": "Conv2D", "filters": 32, "kernel_size": 3, "activation": "relu"}, {"class": "Conv2D", "filters": 64, "kernel_size": 3, "activation": "relu"},
       {"class": "MaxPooling2D", "pool_size": 2}, {"class": "Flatten"}, dense(128, "relu"), dense(10)]

# name, layers, optimizer, batch, shape of a sample, samples (an epoch of each lasts 0.01 to 1 s)
SGD, MOMENTUM = {"class": "SGD", "learning_rate": 0.01}, {"class": "SGD", "learning_rate": 0.01, "momentum": 0.9}
MODELS = {
    1: ("MLP 64-32-10, SGD, batch 16", mlp(32), SGD, 16, (64,), 16384),
    2: ("MLP 64-128-10, Adam, batch 32", mlp(128), ADAM, 32, (64,), 16384),
    3: ("MLP 784-512-512-10, Adam, batch 128", mlp(512, 512), ADAM, 128, (784,), 8192),
    4: ("MLP 784-512-512-10, Adam, batch 512", mlp(512, 512), ADAM, 512, (784,), 16384),
    5: ("CNN 28x28x1, 32-64 3x3, pool, 128, Adam, batch 64", CNN, ADAM, 64, (28, 28, 1), 1024),
    6: ("ResNet 32x32x3, 3 stages of 2 blocks, momentum, batch 64", resnet(), MOMENTUM, 64, (32, 32, 3), 512),
    7: ("LSTM 128 on 64x32, Adam, batch 32", [{"class": "LSTM", "units": 128}, dense(10)], ADAM, 32, (64, 32), 1024),
    8: ("GRU 128 on 64x32, Adam, batch 32", [{"class": "GRU", "units": 128}, dense(10)], ADAM, 32, (64, 32), 1024),
    9: ("transformer d 64, 4 heads, 2 blocks, 64 tokens, Adam, batch 32", transformer(), ADAM, 32, (64,), 1024),
    10: ("MLP 784-2048-2048-10, Adam, batch 256", mlp(2048, 2048), ADAM, 256, (784,), 2048),
}


def name(model):
    return MODELS[model][0]


def batch(model):
    return MODELS[model][3]


def make_data(model, folder, samples=None):
    """x.npy and y.npy of a model in a folder."""
    _, _, _, _, shape, n = MODELS[model]
    n = samples or n
    rng = numpy.random.default_rng(model)
    if model == 9:
        text = rng.integers(0, 65, (n, 65), dtype=numpy.int32)
        x, y = text[:, :-1].copy(), text[:, 1:].copy()
    else:
        x, y = rng.standard_normal((n, *shape), dtype=numpy.float32), rng.integers(0, 10, n, dtype=numpy.int32)
    numpy.save(f"{folder}/x.npy", x)
    numpy.save(f"{folder}/y.npy", y)


def config(model, folder, epochs=1, **more):
    """antler's config. Nothing is written between the first and the last step but one history record an epoch."""
    title, layers, optimizer, size, _, _ = MODELS[model]
    data = {"format": "npy", "x": f"{folder}/x.npy", "y": f"{folder}/y.npy", **({"dtype": "int32"} if model == 9 else {})}
    return {"name": f"bench-{model}", "seed": 1, "data": data, "model": {"layers": layers}, "compile": {"optimizer": optimizer, "loss": LOSS},
            "fit": {"epochs": epochs, "batch_size": size},
            "callbacks": [{"class": "ModelCheckpoint", "filepath": "last.keras", "save_freq": 1 << 40}], **more}
