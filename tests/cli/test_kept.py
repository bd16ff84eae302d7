"""Predictions and texts are kept beside their checkpoint: they come back without a worker, are believed only while everything is the same, and go with it."""
import json
import os
import shutil

from runs import Home, check, run_tests

home = Home()
NO_WORKER = {"ANTLER_WORKER": "/nowhere/antler-worker"}


def write(name, text):
    with open(os.path.join(home.folder, name), "w") as f:
        f.write(text)


def table(rows, shift=0.0):
    return "a,b,class\n" + "".join(f"{(i * 7) % 13 / 13 + shift},{(i * 5) % 11 / 11},{i % 3}\n" for i in range(rows))


def config(name, data, model, **fit):
    write(name + ".json", json.dumps({"name": name, "seed": 1, "data": data, "model": {"layers": model},
                                      "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}, **fit}))
    return home.json("train", os.path.join(home.folder, name + ".json"))["run"]


write("table.csv", table(120))
TABLE = {"format": "csv", "path": "table.csv", "label": "class", "test_split": 0.25}
MODEL = [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax"}]
run = config("table", TABLE, MODEL, fit={"epochs": 2, "batch_size": 16})
write("words.txt", "the quick brown fox jumps over the lazy dog. " * 20)
writer = config("writer", {"format": "text", "path": "words.txt", "vocabulary": "chars", "sequence_length": 8}, [{"class": "Embedding", "input_dim": 28, "output_dim": 8}, {"class": "GRU", "units": 8, "return_sequences": True}, {"class": "Dense", "units": 28, "activation": "softmax"}],
                fit={"epochs": 1, "batch_size": 64})


def predict(what, *more, checkpoint=f"{run}:2", **options):
    return home.json("predict", checkpoint, "--input", what, *more, **options)


def is_computed(what, *more):
    """Without a worker there is no answer."""
    code, _, _ = home.antler("predict", f"{run}:2", "--input", what, *more, ok=False, environment=NO_WORKER)
    return code != 0


def beside(checkpoint):
    folder = os.path.join(home.dir(run), "checkpoints")
    return sorted(n for n in os.listdir(folder) if n.startswith(checkpoint + "."))


def test_predictions_come_back_without_computing():
    first = predict("test[0:6]")
    check("kept" not in first and first["samples"] == 6, f"the first time they are computed: {first}")
    again = predict("test[0:6]", environment=NO_WORKER)
    check(again.pop("kept")["made"] > 0 and again == first, f"then they are what they were: {again}")
    part = predict("test[2:4]", environment=NO_WORKER)
    check(part["outputs"]["dense_1"] == first["outputs"]["dense_1"][2:4] and part["samples"] == 2, "so is a part of them")
    code, out, err = home.antler("predict", f"{run}:2", "--input", "test[0:3]", environment=NO_WORKER)
    check(len(out.splitlines()) == 3 and "--again" in err, f"people see that they were kept: {out}{err}")


def test_pieces_are_put_together():
    predict("test[6:9]")
    whole = predict("test[0:9]", environment=NO_WORKER)
    check(whole["samples"] == 9 and len(whole["outputs"]["dense_1"]) == 9, f"two pieces: {whole}")
    check(is_computed("test[0:10]"), "what reaches further is computed")
    check(is_computed("test[8:12]") and is_computed("train[0:2]") and is_computed("test[-2:]"), "so is what is not there, or counts from the end")
    home.antler("predict", f"{run}:2", "--input", "test")
    check(predict("test", environment=NO_WORKER)["samples"] == 30, "all of a part, once a person has seen it")


def test_other_data_and_settings_are_computed():
    for more in (("--batch-size", "4"), ("--data", "test_split=0.5"), ("--device", "cpu"), ("--again",), ("--output", os.path.join(home.folder, "p.npy"))):
        check(is_computed("test[0:6]", *more), f"{more} computes")


def test_they_are_listed_with_the_checkpoint():
    kept = {c["checkpoint"]: [k["what"] for k in c["kept"]] for c in home.checkpoints(run)}
    check(kept["epoch-0001.keras"] == [] and "predict-test-0-6" in kept["epoch-0002.keras"], f"as JSON: {kept}")
    _, out, _ = home.antler("checkpoints", run)
    check("predict-test-0-6" in out, f"as a table: {out}")


def test_other_data_files_make_them_worthless():
    before = predict("test[0:6]")["outputs"]
    write("table.csv", table(120, 0.5))
    check(is_computed("test[0:6]"), "the file of the data has changed")
    after = predict("test[0:6]")
    check("kept" not in after and after["outputs"] != before, "new data, new outputs")
    check(not is_computed("test[0:6]"), "which are kept now")


def test_another_checkpoint_file_makes_them_worthless():
    path = os.path.join(home.dir(run), "checkpoints", "epoch-0002.keras")
    shutil.copy(os.path.join(home.dir(run), "checkpoints", "epoch-0001.keras"), path)
    check(is_computed("test[0:6]"), "it is not the file they were made of")


def test_damaged_ones_are_as_if_they_were_not_there():
    predict("test[0:6]")
    folder = os.path.join(home.dir(run), "checkpoints")
    for name in beside("epoch-0002.keras"):
        with open(os.path.join(folder, name), "r+b") as f:
            f.truncate(os.path.getsize(f.name) // 2)
    check(is_computed("test[0:6]"), "half a file is none")
    check("kept" not in predict("test[0:6]") and not is_computed("test[0:6]"), "it is computed and kept anew")


def test_texts_come_back_without_computing():
    def text(*more, **options):
        return home.json("predict", f"{writer}:1", "--prompt", "the ", "--tokens", "20", *more, **options)

    first = text("--seed", "1")
    again = text("--seed", "1", environment=NO_WORKER)
    check(again.pop("kept")["made"] > 0 and again == first, f"the same wishes, the same text: {again}")
    for more in (("--seed", "2"), ("--seed", "1", "--temperature", "0.5"), ("--seed", "1", "--again")):
        code, _, _ = home.antler("predict", f"{writer}:1", "--prompt", "the ", "--tokens", "20", *more, ok=False, environment=NO_WORKER)
        check(code != 0, f"{more} is written anew")
    _, out, _ = home.antler("predict", f"{writer}:1", "--prompt", "the ", "--tokens", "20", "--seed", "1", environment=NO_WORKER)
    check(out == "the " + first["text"] + "\n", f"people see the text: {out!r}")
    for seed in range(30, 50):
        text("--seed", str(seed))
    folder = os.path.join(home.dir(writer), "checkpoints")
    with open(os.path.join(folder, "epoch-0001.keras.texts.json")) as f:
        kept = json.load(f)["result"]
    check([t["result"]["seed"] for t in kept] == list(range(34, 50)), f"the newest sixteen are kept: {[t['result']['seed'] for t in kept]}")


def test_they_go_with_their_checkpoint():
    parent = config("parent", TABLE, MODEL, fit={"epochs": 1, "batch_size": 16}, keep=2)
    home.json("predict", f"{parent}:1", "--input", "test[0:2]")
    home.antler("evaluate", f"{parent}:1", "--details")
    folder = os.path.join(home.dir(parent), "checkpoints")
    check(sum(n.endswith(".json") for n in os.listdir(folder)) == 2, f"two results are kept: {os.listdir(folder)}")
    home.json("resume", parent, "--epochs", "6")
    left = os.listdir(folder)
    check("epoch-0001.keras" not in left and not any(n.startswith("epoch-0001") for n in left), f"they are gone with it: {left}")


if __name__ == "__main__":
    try:
        run_tests(dict(globals()))
    finally:
        home.close()
