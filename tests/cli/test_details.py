"""What evaluate --details says beyond the metrics, computed once more from the predictions: confusion, classes, calibration, hardest samples; of text; kept."""

import json
import math
import os
import struct
import subprocess
import sys

from work_folder import WorkFolder

BUILD, SOURCE = os.environ["ANTLER_BUILD"], os.environ["ANTLER_SOURCE"]
work = WorkFolder()
folder = work.name
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text, file=sys.stderr)


def antler(*arguments):
    done = subprocess.run([os.path.join(BUILD, "antler"), "--home", "runs", *arguments], capture_output=True, text=True, cwd=folder, timeout=120)
    check(done.returncode == 0, f"antler {' '.join(arguments)}: {done.returncode} {done.stderr.strip()[-600:]}")
    return done.stdout


def samples_of(run, checkpoint, part):
    """Outputs, and labels or targets, from the worker."""
    request = {"checkpoint": os.path.join(run, "checkpoints", checkpoint), "run": run, "input": part, "details": True}
    done = subprocess.run([os.path.join(BUILD, "antler-worker"), "predict"], input=json.dumps(request), capture_output=True, text=True, timeout=120)
    result = json.loads(done.stdout.splitlines()[-1])["result"]
    return next(iter(result["outputs"].values())), result["details"]


def shares(row):
    if all(0 <= v <= 1 for v in row) and abs(sum(row) - 1) < 1e-3:
        return row
    top = max(row)
    exponentials = [math.exp(v - top) for v in row]
    return [e / sum(exponentials) for e in exponentials]


def near(a, b, text, tolerance=1e-4):
    check(abs(a - b) <= tolerance, f"{text}: {a}, expected {b}")


def compare(result, decisions, n_classes, text):
    """decisions: (label, shares) of every decision."""
    confusion = [[0] * n_classes for _ in range(n_classes)]
    bins = [[0, 0, 0.0] for _ in range(10)]
    for label, p in decisions:
        said = p.index(max(p))
        confusion[label][said] += 1
        of = bins[min(int(p[said] * 10), 9)]
        of[0] += 1
        of[1] += said == label
        of[2] += p[said]
    check(result["confusion"] == confusion, f"{text}: the confusion matrix is another")
    ece = sum(abs(b[1] - b[2]) for b in bins) / len(decisions)
    near(result["calibration"]["ece"], ece, f"{text}: calibration error")
    check([b["samples"] for b in result["calibration"]["bins"]] == [b[0] for b in bins if b[0]], f"{text}: samples of the bins")
    for row in result["per_class"]:
        c, column = row["label"], sum(confusion[k][row["label"]] for k in range(n_classes))
        near(row["recall"], confusion[c][c] / max(sum(confusion[c]), 1), f"{text}: recall of {c}")
        near(row["precision"], confusion[c][c] / max(column, 1), f"{text}: precision of {c}")


def train(config, *more):
    return json.loads(antler("train", config, "--json", *more))["dir"]


def test_classes_agree_with_the_predictions():
    run = os.path.join(folder, train(os.path.join(SOURCE, "configs", "digits-mlp.json"), "--set", "fit.epochs=3"))
    result = json.loads(antler("evaluate", "digits-mlp:last", "--details", "--json"))
    outputs, details = samples_of(run, "epoch-0003.keras", "test")
    compare(result, [(d["label"], shares(o)) for o, d in zip(outputs, details)], 10, "digits")
    losses = sorted((-math.log(max(shares(o)[d["label"]], 1e-7)) for o, d in zip(outputs, details)), reverse=True)
    for i, sample in enumerate(result["hardest"]):
        near(sample["loss"], losses[i], f"hardest sample {i}", 1e-3)


def test_every_character_of_a_text_is_a_decision():
    line = "so much depends upon a red wheel barrow glazed with rain water beside the white chickens\n"
    n = len(set(line))
    with open(os.path.join(folder, "text.txt"), "w") as file:
        file.write(line * 20)
    config = {"name": "text", "data": {"format": "text", "path": "text.txt", "sequence_length": 8, "validation_split": 0.2},
              "model": {"layers": [{"class": "Embedding", "input_dim": n, "output_dim": 8}, {"class": "GRU", "units": 16, "return_sequences": True}, {"class": "Dense", "units": n}]},
              "compile": {"optimizer": "adam", "loss": {"class": "SparseCategoricalCrossentropy", "from_logits": True}}, "fit": {"epochs": 2}}
    with open(os.path.join(folder, "text.json"), "w") as file:
        json.dump(config, file)
    run = os.path.join(folder, train("text.json"))
    result = json.loads(antler("evaluate", "text:last", "--details", "--json"))
    outputs, details = samples_of(run, "epoch-0002.keras", "validation")
    decisions = [(int(t), shares(row)) for o, d in zip(outputs, details) for row, t in zip(o, d["target"])]
    check(result["unit"] == "tokens", "a text is decided token by token")
    compare(result, decisions, n, "text")
    worst = max(sum(-math.log(max(shares(row)[int(t)], 1e-7)) for row, t in zip(o, d["target"])) / 8 for o, d in zip(outputs, details))
    near(result["hardest"][0]["loss"], worst, "hardest window", 1e-3)


def test_numbers_stand_beside_the_true_ones():
    run = os.path.join(folder, train(os.path.join(SOURCE, "configs", "wine-regression.json"), "--set", "fit.epochs=2"))
    result = json.loads(antler("evaluate", "wine-regression:last", "--details", "--json"))
    outputs, details = samples_of(run, "epoch-0002.keras", "test")
    for (truth, said), o, d in zip(result["pairs"], outputs, details):
        near(said, o[0], "said", 1e-5)
        near(truth, d["target"][0] if isinstance(d["target"], list) else d["target"], "true", 1e-5)
    check("calibration" not in result, "numbers have no calibration")


def npy(name, shape, kind, values):
    head = ("{'descr': '<%s', 'fortran_order': False, 'shape': (%s), }" % (kind, "".join(f"{n}, " for n in shape))).ljust(117) + "\n"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}{kind[0]}", *values))


def test_every_output_has_details_of_its_own():
    n = 90
    x = [math.sin(7 * i + 3 * k) for i in range(n) for k in range(4)]
    classes = [[i % 4 for i in range(n)], [int(x[4 * i] > 0) for i in range(n)], [i * 5 % 3 for i in range(n)]]
    numbers = [x[4 * i] * 2 for i in range(n)]
    npy("x.npy", (n, 4), "f4", x)
    npy("quarter.npy", (n,), "i4", classes[0])
    npy("half.npy", (n,), "i4", classes[1])
    npy("third.npy", (n, 3), "f4", [float(c == k) for c in classes[2] for k in range(3)])
    npy("number.npy", (n, 1), "f4", numbers)
    outputs = [("quarter", 4, "softmax", "sparse_categorical_crossentropy"), ("half", 1, "sigmoid", "binary_crossentropy"), ("third", 3, "softmax", "categorical_crossentropy"), ("number", 1, "linear", "mse")]
    config = {"name": "several", "seed": 1, "data": {"format": "npy", "x": "x.npy", "y": {o[0]: o[0] + ".npy" for o in outputs}, "test_split": 0.5},
              "model": {"layers": [{"class": "InputLayer", "name": "in", "shape": [4]}] + [{"class": "Dense", "name": o[0], "units": o[1], "activation": o[2], "inputs": ["in"]} for o in outputs],
                        "outputs": [o[0] for o in outputs]},
              "compile": {"optimizer": "adam", "loss": {o[0]: o[3] for o in outputs}}, "fit": {"epochs": 1}}
    with open(os.path.join(folder, "several.json"), "w") as file:
        json.dump(config, file)
    run = os.path.join(folder, train("several.json"))
    result = json.loads(antler("evaluate", "several:last", "--details", "--json"))
    request = {"checkpoint": os.path.join(run, "checkpoints", "epoch-0001.keras"), "run": run, "input": "test", "details": True}
    done = subprocess.run([os.path.join(BUILD, "antler-worker"), "predict"], input=json.dumps(request), capture_output=True, text=True, timeout=120)
    said = json.loads(done.stdout.splitlines()[-1])["result"]
    details = [result] + result["outputs"][1:]
    check([o["name"] for o in result["outputs"]] == [o[0] for o in outputs], f"the outputs in their order: {result['outputs']}")
    check(list(result["outputs"][0]) == ["name"], "what is said of the first one stands in the result itself")
    for k, n_classes in ((0, 4), (1, 2), (2, 3)):
        rows = said["outputs"][outputs[k][0]]
        decisions = [(classes[k][n // 2 + i], [1 - row[0], row[0]] if k == 1 else row) for i, row in enumerate(rows)]
        compare(details[k], decisions, n_classes, outputs[k][0])
        worst = max(-math.log(max(p[label], 1e-7)) for label, p in decisions)
        near(details[k]["hardest"][0]["loss"], worst, f"hardest sample of {outputs[k][0]}", 1e-3)
        of = said["details"] if k == 0 else [d["outputs"][outputs[k][0]] for d in said["details"]]
        check([d["label"] for d in of] == [label for label, _ in decisions], f"labels of {outputs[k][0]}")
        check([d["predicted"] for d in of] == [p.index(max(p)) for _, p in decisions], f"what is said of {outputs[k][0]}")
    for (truth, number), row, is_ in zip(details[3]["pairs"], said["outputs"]["number"], numbers[n // 2:]):
        near(number, row[0], "said number", 1e-5)
        near(truth, is_, "true number", 1e-5)
    text = antler("evaluate", "several:last", "--details")
    check(all(f"output {o[0]}" in text for o in outputs) and text.count("hardest samples") == 4, f"all are printed: {text}")


def test_the_command_line_prints_and_keeps_them():
    said = antler("evaluate", "digits-mlp:2", "--details")
    for text in ("precision", "most often confused", "expected calibration error", "hardest samples"):
        check(text in said, f"'{text}' is printed")
    check("precision" not in antler("evaluate", "digits-mlp:2"), "details only when asked for")
    kept = [name for name in os.listdir(os.path.join(folder, "runs", next(d for d in os.listdir(os.path.join(folder, "runs")) if d.endswith("digits-mlp")), "checkpoints"))
            if name.endswith(".json")]
    check(sorted(kept) == ["epoch-0002.keras.evaluate-test.json", "epoch-0003.keras.evaluate-test.json"], f"kept beside the checkpoint: {kept}")


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
sys.exit(1 if failures else 0)
