"""./dev bench readme: the figures of README.md, between its marks, from what ./dev bench models and ./dev bench left in build/."""
from bench_models import ACTIONS, best, kept, peers_of
from common import SOURCE, cpu_name

CALLS = ACTIONS[1:]
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
    results = [r for _, r in sorted(kept("train").items())]
    rows = [model_row(r) for r in results if "antler" in r["ms"]]
    if not rows:
        return []
    peers = sorted({label for r in results for _, label in peers_of(r)})
    few = ", ".join(str(r["model"]) for r in results if r["quick"])
    quick = f" Models {few}: only those that were fastest before (--quick)." if few else ""
    return [f"A training step, {results[-1]['date']}, {cpu_name()}, two cores, interleaved rounds of `./dev bench models`, each side with its better number of threads. Peers:",
            ", ".join(peers) + f" (not every one can run every model).{quick} Floor: the products of the step at the rate of numpy's sgemm in the same rounds; Winograd goes below it.", "",
            "| | antler | fastest of these peers | Keras on TensorFlow | of the floor | peak memory |", "|---|---|---|---|---|---|", *rows]


def call_cell(r):
    if not r or "antler" not in r["ms"] or not peers_of(r):
        return "-"
    ms, (peer_ms, peer) = best(r["ms"]["antler"])[0], peers_of(r)[0]
    return f"{ms:.3g} ms, {peer} **{peer_ms / ms:.3g}x**"


def calls_table():
    results = {action: kept(action) for action in CALLS}
    models = sorted(set().union(*results.values()))
    if not models:
        return []
    names = {model: r["name"].split(",")[0] for of_action in results.values() for model, r in of_action.items()}
    rows = [f"| {model}. {names[model]} | " + " | ".join(call_cell(results[action].get(model)) for action in CALLS) + " |" for model in models]
    return ["", "Calls on samples that are in memory, inside the process, with the fastest of the peers:", "",
            "| | predict 1 | predict 256 | evaluate 256 |", "|---|---|---|---|", *rows]


def update():
    lines = models_table() + calls_table()
    path = SOURCE / "README.md"
    text = path.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    path.write_text(before + START + "\n".join(lines) + "\n" + END + after)
    print(f"{path}: {len(lines)} lines between the marks")
