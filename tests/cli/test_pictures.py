"""Pictures and texts that came with a history: kept byte for byte, listed, drawn; hostile ones harm nobody."""
import json
import os
import struct
import zlib

from foreign import Wandb, image_event, png, scalar_event, text_event
from runs import Home, check, run_tests

home = Home()
RED_OVER_BLUE = png(8, 8, lambda x, y: (255, 0, 0) if y < 4 else (0, 0, 255))
STEPS = [png(8, 8, lambda x, y, s=s: (20 * s,), 1) for s in range(5)]


def write(name, data):
    path = os.path.join(home.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def pictures(run):
    return {t["tag"]: t["pictures"] for t in home.json("pictures", run)}


def imported(path):
    return home.json("import", path)[0]["run"]


log = b"".join(scalar_event("loss", s, 1.0 / (s + 1)) + image_event("grey/step", s, [STEPS[s]]) for s in range(5))
log += image_event("several", 2, [RED_OVER_BLUE, STEPS[1], RED_OVER_BLUE]) + text_event("notes", 3, "learning rate was halved\r\nand the \x1b[31mbatch doubled")
tensorboard = imported(os.path.dirname(write("tb/events.out.tfevents.1.host", log)))


def test_every_picture_of_tensorboard_is_there_byte_for_byte():
    found = pictures(tensorboard)
    check(sorted(found) == ["grey/step", "several/0", "several/1", "several/2"], f"the tags are {sorted(found)}")
    check([p["step"] for p in found["grey/step"]] == list(range(5)), "one picture a step, in order")
    check([read(p["path"]) for p in found["grey/step"]] == STEPS, "the files are what was written")
    check(read(found["several/1"][0]["path"]) == STEPS[1], "the second of several is the second")


def test_the_list_and_show_name_them():
    _, out, _ = home.antler("pictures", tensorboard)
    check("grey/step" in out and "several/2" in out, f"the tags are listed: {out}")
    _, out, _ = home.antler("show", tensorboard)
    check("8 of 4 tags" in out, f"show says how many there are: {out}")
    check("notes: learning rate was halved\n           and the \\x1B[31mbatch doubled" in out, f"show has the text, line by line: {out}")
    events = home.json("show", tensorboard)["events"]
    check([e["event"]["text"] for e in events] == ["notes: learning rate was halved\nand the \\x1B[31mbatch doubled"], f"so has its JSON: {events}")


def test_a_picture_is_drawn():
    _, out, _ = home.antler("pictures", tensorboard, "--tag", "several/0", "--ascii")
    rows = out.splitlines()
    check(rows[0].startswith("step 2, 8x8 pixels") and rows[1:] == [":" * 8] * 2 + ["." * 8] * 2, f"red over blue: {out}")
    _, out, _ = home.antler("pictures", tensorboard, "--tag", "grey/step", "--step", "0", "--ascii")
    check(out.splitlines()[1:] == [" " * 8] * 4, f"step 0 is black: {out!r}")


def test_what_is_not_there_is_said():
    for arguments, status, words in ((("--tag", "grey/stop"), 3, "did you mean 'grey/step'"), (("--tag", "grey/step", "--step", "9"), 3, "from step 0 to 4"),
                                     (("--step", "1"), 2, "4 tags"), (("--tag", "several/0", "--json"), 2, "--json")):
        code, out, err = home.antler("pictures", tensorboard, *arguments, ok=False)
        check(code == status and words in err and not out, f"{arguments}: {code} {err}")


def hostile(data):
    """A run whose only picture is data."""
    number = str(len(home.ids()))
    return imported(os.path.dirname(write(f"bad{number}/events.out.tfevents.1.h", scalar_event("loss", 0, 1.0) + image_event("bad", 0, [data]))))


def test_hostile_pictures_are_refused():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    huge = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2 ** 31 - 1, 2 ** 31 - 1, 8, 6, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    for name, data in (("huge", huge), ("bomb", bomb), ("torn", RED_OVER_BLUE[:60]), ("jpeg", b"\xff\xd8\xff" + bytes(40))):
        run = hostile(data)
        code, out, err = home.antler("pictures", run, "--tag", "bad", ok=False)
        check(code in (4, 5) and not out and "@0" in err, f"{name}: {code} {err}")


def test_what_is_no_picture_is_left_out():
    check(pictures(hostile(b"\x89PNG but not really a picture at all")) != {}, "what calls itself a PNG is kept")
    check(pictures(hostile(b"GIF89a" + bytes(40))) == {}, "what cannot be shown is not kept")
    path = os.path.dirname(write("gif/events.out.tfevents.1.h", scalar_event("loss", 0, 1.0) + image_event("bad", 0, [b"GIF89a" + bytes(40)])))
    _, _, err = home.antler("import", path)
    check("1 pictures were left out: PNG and JPEG are kept" in err, f"which is said: {err}")


def test_pictures_of_wandb_come_from_its_own_folder_only():
    folder = "wandb/offline-run-20260101_120000-abc"
    secret = write("wandb/secret.png", RED_OVER_BLUE)
    write(folder + "/files/media/images/a.png", STEPS[1])
    os.symlink(secret, os.path.join(home.folder, folder, "files/media/images/link.png"))
    os.symlink(os.path.dirname(secret), os.path.join(home.folder, folder, "files/media/out"))
    run = Wandb()
    run.run("pictures", {})
    run.history({"_step": 3, "loss": 0.5, "a": {"_type": "image-file", "path": "media/images/a.png"},
                 "b": {"_type": "images/separated", "filenames": ["media/images/a.png", "media/images/gone.png"], "captions": ["said \u001b[31m7", "gone"]},
                 "c": {"_type": "image-file", "path": "media/images/a.png", "caption": "a long " * 1000},
                 "evil": {"_type": "images/separated", "filenames": ["../../secret.png", secret, "media/images/link.png", "media/out/secret.png", "", "media/images", "./a.png"]}})
    run.history({"_step": 4, "table": {"_type": "table-file", "path": "media/images/a.png"}})
    run.exit()
    found = pictures(imported(write(folder + "/run-abc.wandb", bytes(run.bytes))))
    check(sorted(found) == ["a", "b/0", "c"], f"the tags are {sorted(found)}")
    check(found["a"][0]["step"] == 3 and read(found["a"][0]["path"]) == STEPS[1], "at its step, byte for byte")
    check("caption" not in found["a"][0] and found["b/0"][0]["caption"].startswith("said "), f"what was written under it is beside it: {found['b/0']}")
    check(found["c"][0]["caption"] == ("a long " * 1000)[:2000], "of a very long caption the beginning")


if __name__ == "__main__":
    try:
        run_tests(dict(globals()))
    finally:
        home.close()
