"""Training steps of the ten models of ./dev bench models do not lose a fusion, a kernel or their thrift unnoticed: counted, never timed.

The tables are what was counted; who makes it less writes that down here, who makes it more says why. With the AVX2 kernels everywhere, so
that machines agree and valgrind can follow."""
import json
import os
import re
import shutil
import subprocess
import sys

from work_folder import WorkFolder

SOURCE, BUILD = os.environ["ANTLER_SOURCE"], os.environ["ANTLER_BUILD"]
PYTHON = os.environ.get("ANTLER_PYTHON", os.path.expanduser("~/.cache/antler/venv/bin/python"))
COUNTS = os.path.join(BUILD, "tests", "step_counts")
ENVIRONMENT = {**os.environ, "ANTLER_CPU": "avx2", "OPENBLAS_NUM_THREADS": "1"}

MLP_2 = "reduce 3, sparse_xent 1, sparse_xent_dx 1"
MLP_3 = "reduce 4, sparse_xent 1, sparse_xent_dx 1"
CLASSES = "matmul:narrow-k+ 1, matmul:narrow-m+ 1"  # the products with 10 columns
RECURRENT = f"add_i32 1, concat 1, map 4, matmul:cut-k+ 2, {CLASSES}, matmul:short-k 1, recurrent 1, recurrent_dx 1, reduce 2, slice 1, sparse_xent 1, sparse_xent_dx 1"
# model -> its kernels, a + for those with a fused epilogue; how many of them several threads work on; its nodes before fusion; MB of
# activations and gradients that are there at once
KERNELS = {
    1: (f"add_i32 1, map 4, matmul:direct+ 2, {CLASSES}, matmul:short-k+ 1, {MLP_2}", 0, 39, 0.1),
    2: (f"add_i32 1, map 4, matmul:direct+ 2, {CLASSES}, matmul:short-k+ 1, {MLP_2}", 0, 47, 0.1),
    3: (f"add_i32 1, map 5, {CLASSES}, matmul:packed+ 4, matmul:packed-left+ 1, matmul:short-k+ 1, {MLP_3}", 8, 62, 1.5),
    4: (f"add_i32 1, map 5, {CLASSES}, matmul:packed+ 5, matmul:short-k+ 1, {MLP_3}", 10, 62, 5.9),
    5: (f"add_i32 1, conv:direct+ 1, conv:winograd+ 1, conv_dw:direct+ 1, conv_dw:winograd+ 1, conv_dx:winograd+ 1, map 6, matmul:cut-k+ 1, {CLASSES}, "
        "matmul:packed+ 1, matmul:packed-left 1, matmul:short-k+ 1, pool 1, pool_dx+ 1, reduce 5, sparse_xent 1, sparse_xent_dx 1", 12, 81, 29.5),
    6: ("add_i32 1, batch_norm 2, batch_norm+ 13, batch_norm_dx 15, conv:direct 5, conv:winograd 10, conv_dw:direct+ 5, conv_dw:winograd+ 10, conv_dx:direct 2, "
        f"conv_dx:direct+ 2, conv_dx:winograd+ 10, map 64, {CLASSES}, matmul:short-k+ 1, reduce 3, sparse_xent 1, sparse_xent_dx 1", 76, 372, 78.5),
    7: (RECURRENT, 6, 59, 10.9),
    8: (RECURRENT, 6, 58, 11.9),
    9: ("add_i32 1, attention 2, attention_dx 2, gather 1, gather_dtable 1, layer_norm 5, layer_norm_dx 5, map 32, matmul:cut-k+ 13, matmul:packed 9, "
        "matmul:packed+ 17, reduce 14, sparse_xent 1, sparse_xent_dx 1", 76, 345, 24.8),
    10: (f"add_i32 1, map 5, {CLASSES}, matmul:packed+ 4, matmul:packed-left+ 1, matmul:short-k+ 1, {MLP_3}", 10, 62, 9.3),
}
# model -> thousands of instructions that a step takes at most: where a step is short, what is not arithmetic shows
INSTRUCTIONS = {1: 80, 2: 410}

failures = []


def check(ok, what):
    if not ok:
        failures.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


def make_configs(folder):
    """folder/N/config.json of every model; needs numpy."""
    code = ("import json, os, sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]); import models\n"
            "for m in models.MODELS:\n"
            "    f = f'{sys.argv[2]}/{m}'; os.mkdir(f); models.make_data(m, f, 2 * models.batch(m))\n"
            "    json.dump({'config': models.config(m, f), 'batch': models.batch(m)}, open(f'{f}/model.json', 'w'))\n"
            "    json.dump(models.config(m, f), open(f'{f}/config.json', 'w'))\n")
    done = subprocess.run([PYTHON, "-c", code, os.path.join(SOURCE, "tests/bench"), folder], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print("SKIP: no Python with numpy: " + (done.stderr.strip().splitlines() or ["?"])[-1])
        sys.exit(1 if os.environ.get("CI") == "true" else 77)


def command(folder, model, steps):
    with open(f"{folder}/{model}/model.json") as file:
        return [COUNTS, f"{folder}/{model}/config.json", str(json.load(file)["batch"]), str(steps)]


def test_every_model_has_its_kernels(folder):
    for model, (expected, shared, nodes, megabytes) in KERNELS.items():
        done = subprocess.run(command(folder, model, 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        if done.returncode:
            check(False, f"model {model}: {done.stderr}")
            continue
        found = json.loads(done.stdout)
        kernels = ", ".join(f"{name} {n}" for name, n in sorted(found["kernels"].items()))
        check(kernels == expected, f"model {model}: its kernels are\n  {kernels}, expected\n  {expected}")
        check(found["shared"] == shared, f"model {model}: several threads work on {found['shared']} kernels, expected {shared}")
        check(found["nodes"] <= nodes, f"model {model}: {found['nodes']} nodes before fusion, expected {nodes}")
        check(found["live_bytes"] <= megabytes * 1e6, f"model {model}: {found['live_bytes'] / 1e6:.2f} MB live at once, expected {megabytes}")


def instructions(folder, model, steps):
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out", *command(folder, model, steps)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    check(collected, f"model {model} under valgrind: {done.stderr[-500:]}")
    return int(collected.group(1)) if collected else 0


def test_short_steps_take_few_instructions(folder):
    for model, most in INSTRUCTIONS.items():
        thousands = (instructions(folder, model, 40) - instructions(folder, model, 10)) / 30e3
        check(0 < thousands <= most, f"model {model}: a step takes {thousands:.0f} thousand instructions, expected at most {most}")


def sanitized():
    return "libasan" in subprocess.run(["ldd", COUNTS], stdout=subprocess.PIPE, text=True).stdout


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


if __name__ == "__main__":
    counts_instructions = sys.argv[1] == "instructions"
    with open("/proc/cpuinfo") as file:
        if " avx2 " not in file.read():
            skip("this machine has no AVX2")
    if counts_instructions and (sanitized() or not shutil.which("valgrind")):
        skip("a sanitized build" if sanitized() else "no valgrind")
    with WorkFolder() as folder:
        make_configs(folder)
        if counts_instructions:
            test_short_steps_take_few_instructions(folder)
        else:
            test_every_model_has_its_kernels(folder)
    sys.exit(1 if failures else 0)
