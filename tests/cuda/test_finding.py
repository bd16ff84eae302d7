"""How the GPU is found: what is missing has a sentence of its own that says what would help. The worker of tests/fake_gpu opens its plugin as the real one
does; a folder of links stands for other installations."""
import os
import shutil

from runs import BUILD, Home, check, run_tests

FAKE = os.path.join(BUILD, "tests", "fake_gpu")
MODEL = {
    "data": {"format": "synthetic", "name": "blobs", "samples": 40},
    "model": {"layers": [{"class": "Dense", "units": 3, "activation": "softmax"}]},
    "compile": {"optimizer": {"class": "SGD"}, "loss": "sparse_categorical_crossentropy"},
    "fit": {"epochs": 1},
}
home = Home()


def installed(name, plugin, folder="bin"):
    """A worker of an installation of its own, with this plugin in a folder of it."""
    root = os.path.join(home.folder, name)
    os.makedirs(os.path.join(root, "bin"), exist_ok=True)
    worker = os.path.join(root, "bin", "antler-worker")
    if not os.path.exists(worker):
        shutil.copy(os.path.join(FAKE, "antler-worker"), worker)
    if plugin:
        os.makedirs(os.path.join(root, folder), exist_ok=True)
        shutil.copy(plugin, os.path.join(root, folder, "antler-cuda.so"))
    return worker


def device(worker, name="cuda", **environment):
    """(exit status, what is said) of a check that asks for this device."""
    path = home.config("config", dict(MODEL, device=name))
    status, _, said = home.antler("check", path, ok=False, environment={"ANTLER_WORKER": worker, **environment})
    return status, said


def refused(worker, *words, **more):
    status, said = device(worker, **more)
    check(status == 6, f"a GPU that cannot be used is error 6, found {status}: {said}")
    for word in words:
        check(word in said, f"the error has {word!r}, found {said!r}")


def test_it_is_found_beside_the_worker_and_where_it_is_installed():
    beside = os.path.join(FAKE, "antler-worker")
    for worker in beside, installed("installed", os.path.join(FAKE, "antler-cuda.so"), "lib/antler"):
        for name in "cuda", "cuda:0":
            status, said = device(worker, name)
            check(status == 0, f"{worker} has the device {name}, found {status}: {said}")


def test_what_is_missing_is_named():
    refused(installed("bare", None), "'cuda' is not available", "this build has no CUDA backend", "/bare/bin", "lib/antler", "use cpu")
    refused(installed("stale", os.path.join(FAKE, "stale_plugin_alone.so")), "another build of antler")
    refused(installed("in_need", os.path.join(FAKE, "stale_plugin_in_need.so")), "library_that_is_gone.so: cannot open shared object file", "LD_LIBRARY_PATH")
    torn = os.path.join(home.folder, "torn.so")
    with open(torn, "w") as file:
        file.write("torn")
    refused(installed("torn", torn), "cannot open the CUDA backend", "file too short")


def test_a_driver_that_is_missing_or_old_and_a_gpu_that_is_not_there():
    worker = os.path.join(FAKE, "antler-worker")
    refused(worker, "no driver of NVIDIA", ANTLER_FAKE_CUDA_DRIVER="0")
    refused(worker, "up to 12.4", "built with 13.0", "update the driver", ANTLER_FAKE_CUDA_DRIVER="12040")
    refused(worker, "finds no GPU", "CUDA_VISIBLE_DEVICES", ANTLER_FAKE_CUDA_DEVICES="0")
    refused(worker, "'cuda:2'", "this machine has 2 GPUs, the last is cuda:1", name="cuda:2", ANTLER_FAKE_CUDA_DEVICES="2")
    refused(worker, "this machine has 1 GPU, ", name="cuda:99999999999999999999")


def test_the_doctor_says_what_there_is():
    for environment, available, word in ({}, True, "multiprocessors"), ({"ANTLER_FAKE_CUDA_DEVICES": "0"}, False, "finds no GPU"):
        devices = home.json("doctor", environment={"ANTLER_WORKER": os.path.join(FAKE, "antler-worker"), **environment})["devices"]
        cuda = [d for d in devices if d["name"] == "cuda"][0]
        check(cuda["available"] == available and word in cuda["text"], f"the GPU is {cuda}, expected {word!r}")


def test_the_plugin_of_this_build_can_be_opened():
    """All names that it takes from the worker and from its libraries are there: it says what the machine lacks, or runs."""
    if not os.path.exists(os.path.join(BUILD, "antler-cuda.so")):
        check(os.environ.get("CI") != "true" or "asan" in BUILD, "the backend cuda is compiled and linked in every run of CI: nvcc is missing")
        return
    status, said = device(os.path.join(BUILD, "antler-worker"))
    check(status == 0 or "NVIDIA" in said, f"the plugin can be opened, found {status}: {said}")


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        home.close()
