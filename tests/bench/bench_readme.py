"""./dev bench readme: the figures of README.md, between its marks, from what ./dev bench models and ./dev bench left in build/."""
import json, statistics

from bench_models import best, peers_of
from common import BUILD, SOURCE

START, END = "<!-- figures: ./dev bench readme -->\n", "<!-- end of figures -->\n"


def model_row(r):
    ms = best(r["ms"]["antler"])[0]
    peers = peers_of(r)
    keras = best(r["ms"]["keras-tensorflow"])[0] if "keras-tensorflow" in r["ms"] else None
    floor = r["multiply_adds"] * 2 / r["sgemm_gflops"] / 1e6
    peer = f"{peers[0][1]} {peers[0][0]:.3g} ms, **{peers[0][0] / ms:.2f}x**" if peers else "-"
    return (f"| {r['name']} | {ms:.3g} ms | {peer} | " + (f"{keras:.3g} ms, {keras / ms:.3g}x" if keras else "-")
            + f" | {100 * floor / ms:.0f} % | {r['peak_bytes']['antler'] / 1e6:.0f} MB |")


def models_table():
    path = BUILD / "bench-models-train.json"
    if not path.exists():
        return []
    bench = json.loads(path.read_text())
    rows = [model_row(r) for r in bench["models"] if "antler" in r["ms"]]
    return [f"A training step, {bench['date']}, {bench['cpu']}, two cores, interleaved rounds of `./dev bench models --quick`: the peers that were fastest on two other processors, with as many threads. Floor: the products of the step",
            "at the rate of numpy's sgemm in the same run; Winograd goes below it.", "",
            "| | antler | fastest of these peers | Keras on TensorFlow | of the floor | peak memory |", "|---|---|---|---|---|---|", *rows]


def update():
    path = SOURCE / "README.md"
    text = path.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    path.write_text(before + START + "\n".join(models_table()) + "\n" + END + after)
    print(f"{path}: {len(models_table())} lines between the marks")
