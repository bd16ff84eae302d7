"""Text that models write, against real Keras: with temperature 0 the same characters as a plain loop over Keras' predict; drawn ones as often as Keras says."""

import json
import os
import subprocess
import sys
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import keras
import numpy as np
from keras import layers
from work_folder import WorkFolder

warnings.filterwarnings("ignore")
ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
work = WorkFolder()
folder = work.name
failures = []
WINDOW = 12
SENTENCES = "the quick brown fox jumps over the lazy dog.\nhow vexingly quick daft zebras jump!\n"
CHARACTERS = sorted(set(SENTENCES))


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text, file=sys.stderr)


def antler(*arguments, status=0, env=None):
    done = subprocess.run([ANTLER, "--home", os.path.join(folder, "runs"), *arguments], capture_output=True, text=True, cwd=folder, timeout=120,
                          env={**os.environ, **(env or {})})
    check(done.returncode == status, f"antler {' '.join(arguments)}: {done.returncode}, expected {status}: {done.stderr.strip()[-600:]}")
    return done


def write(checkpoint, prompt, tokens, *more):
    done = antler("predict", checkpoint, "--prompt", prompt, "--tokens", str(tokens), *more, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {"text": "", "tokens": [], "padded": None}


def scores(model, known, pad_in_front):
    """What Keras says of the character behind `known`, tokens of which the last WINDOW count."""
    pad = CHARACTERS.index("\n")
    known = known[-WINDOW:]
    gap = [pad] * (WINDOW - len(known))
    window = gap + known if pad_in_front else known + gap
    said = np.asarray(model.predict_on_batch(np.array([window], dtype="int32")))[0]
    if said.ndim == 2:
        said = said[len(window) - 1 if pad_in_front else len(known) - 1]
    return said


def greedy(model, prompt, n, pad_in_front):
    known, text = [CHARACTERS.index(c) for c in prompt], ""
    for _ in range(n):
        best = int(np.argmax(scores(model, known, pad_in_front)))
        known.append(best)
        text += CHARACTERS[best]
    return text


def config(name, model):
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as file:
        json.dump({"name": name, "seed": 3, "data": {"format": "text", "path": "text.txt", "sequence_length": WINDOW, "stride": 1},
                   "model": {"layers": model}, "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01},
                   "loss": {"class": "SparseCategoricalCrossentropy", "from_logits": True}}, "fit": {"epochs": 2, "batch_size": 32}}, file)
    return path


def trained(name, model):
    run = json.loads(antler("train", config(name, model), "--json").stdout)
    return name + ":last", keras.saving.load_model(os.path.join(run["dir"], "checkpoints", "epoch-0002.keras"), compile=False)


V = len(CHARACTERS)
MODELS = {
    "gru": [{"class": "Embedding", "input_dim": V, "output_dim": 8}, {"class": "GRU", "units": 24, "return_sequences": True}, {"class": "Dense", "units": V}],
    "attention": [
        {"class": "InputLayer", "name": "in", "shape": [WINDOW], "dtype": "int32"},
        {"class": "Embedding", "name": "e", "input_dim": V, "output_dim": 16, "inputs": ["in"]},
        {"class": "MultiHeadAttention", "name": "a", "num_heads": 2, "key_dim": 8, "inputs": ["e", "e"], "call": {"use_causal_mask": True}},
        {"class": "Add", "name": "s", "inputs": ["e", "a"]},
        {"class": "Dense", "name": "out", "units": V, "inputs": ["s"]}],
    "both-ways": [{"class": "Embedding", "input_dim": V, "output_dim": 8},
                  {"class": "Bidirectional", "layer": {"class": "GRU", "units": 8, "return_sequences": True}}, {"class": "Dense", "units": V}],
}


def test_the_most_probable_text_is_that_of_keras():
    for name, model in MODELS.items():
        checkpoint, theirs = trained(name, model)
        for prompt in ("t", "the quick", "the quick brown fox jumps"):
            ours = write(checkpoint, prompt, 30, "--temperature", "0")
            padded = name == "both-ways" and len(prompt) < WINDOW
            expected = greedy(theirs, prompt, 30, name == "both-ways")
            check(ours["text"] == expected, f"{name}, {prompt!r}: wrote {ours['text']!r}, Keras {expected!r}")
            check(ours["padded"] == padded, f"{name}, {prompt!r}: padded is {ours['padded']}")
            check([CHARACTERS[t] for t in ours["tokens"]] == list(ours["text"]), f"{name}: tokens are not the text")


def test_a_model_of_keras_that_says_one_character_writes_too():
    model = keras.Sequential([layers.Input((None,), dtype="int32"), layers.Embedding(V, 8), layers.LSTM(16), layers.Dense(V, activation="softmax")])
    path = os.path.join(folder, "foreign.keras")
    model.save(path)
    of_data = ("--data", "format=text", "--data", "path=text.txt", "--data", f"sequence_length={WINDOW}")
    ours = write(path, "fox", 20, "--temperature", "0", *of_data)
    check(ours["text"] == greedy(model, "fox", 20, True), f"foreign model: wrote {ours['text']!r}")
    check("keeps the vocabulary" in antler("predict", "gru:last", "--prompt", "fox", "--data", "path=text.txt", status=2).stderr,
          "data that would mean nothing are refused")
    check("keeps no vocabulary" in antler("predict", path, "--prompt", "fox", status=2).stderr, "a model without vocabulary is refused")


def test_characters_are_drawn_as_often_as_they_are_probable():
    theirs = keras.saving.load_model(os.path.join(folder, "runs", next(d for d in os.listdir(os.path.join(folder, "runs")) if d.endswith("_gru")),
                                                  "checkpoints", "epoch-0002.keras"), compile=False)
    for temperature in (1.0, 3.0):
        logits = scores(theirs, [CHARACTERS.index(c) for c in "the "], False).astype(np.float64) / temperature
        expected = np.exp(logits - logits.max())
        expected /= expected.sum()
        counts = np.zeros(V)
        for seed in range(60):
            counts[write("gru:last", "the ", 1, "--temperature", str(temperature), "--seed", str(seed))["tokens"][0]] += 1
        distance = np.abs(counts / counts.sum() - expected).sum() / 2
        check(distance < 0.4, f"temperature {temperature}: the drawn ones are {distance:.2f} away from what is probable")
        if temperature == 3.0:
            check((counts > 0).sum() > 6, "a high temperature draws many different characters")


def test_the_same_seed_writes_the_same_text():
    first = write("gru:last", "the ", 80, "--seed", "5")["text"]
    check(first == write("gru:last", "the ", 80, "--seed", "5", "--threads", "1", "--again")["text"], "the number of threads changes the text")
    check(first != write("gru:last", "the ", 80, "--seed", "6")["text"], "another seed writes the same text")
    check(antler("predict", "gru:last", "--prompt", "the ", "--tokens", "80", "--seed", "5").stdout == "the " + first + "\n", "printed and in JSON differ")


def test_what_cannot_be_written_is_refused():
    said = antler("predict", "gru:last", "--prompt", "naïve €5", status=2)
    check("'ï' (U+00EF), '€' (U+20AC), '5' (U+0035)" in said.stderr and not said.stdout, f"unknown characters: {said.stderr!r} {said.stdout!r}")
    for more, text in ((("--tokens", "0"), "--tokens '0'"), (("--temperature", "-1"), "--temperature '-1'"), (("--input", "test"), "do not go together"),
                       (("--seed", "1.5"), "whole number")):
        check(text in antler("predict", "gru:last", "--prompt", "the", *more, status=2).stderr, f"{more} is refused")
    check("belongs to --prompt" in antler("predict", "gru:last", "--input", "train[0:1]", "--seed", "1", status=2).stderr, "--seed without --prompt")


def test_bytes_are_a_vocabulary_too():
    path = config("bytes", [{"class": "Embedding", "input_dim": 256, "output_dim": 8}, {"class": "GRU", "units": 16, "return_sequences": True}, {"class": "Dense", "units": 256}])
    antler("train", path, "--set", "data.vocabulary=bytes", "--set", "fit.epochs=1", "--json")
    ours = write("bytes:last", "é the", 60, "--temperature", "2")
    check(len(ours["tokens"]) == 60 and all(0 <= t < 256 for t in ours["tokens"]), "60 bytes are written")
    check(bytes(ours["tokens"]).decode("utf-8", "replace").replace("\0", "�") == ours["text"], "what is no UTF-8 is shown as U+FFFD")


with open(os.path.join(folder, "text.txt"), "w") as file:
    file.write(SENTENCES * 12)
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
sys.exit(1 if failures else 0)
