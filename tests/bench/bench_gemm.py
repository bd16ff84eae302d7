"""./dev bench gemm: matrix products of one thread, of the ten models and of other kinds, beside OpenBLAS at its best core type and the peak of
fused multiply-adds in the milliseconds behind the products: at their clock, and less what the host of a virtual machine takes of any time."""
import json, statistics, subprocess

from common import BUILD, FIRST, clean_env, quiet, say

CORE_TYPES = (None, "SKYLAKEX", "HASWELL", "ZEN")  # None: as OpenBLAS chooses by itself
SECONDS = 10


def measure(core_type):
    env = clean_env(OPENBLAS_NUM_THREADS="1", **({"OPENBLAS_CORETYPE": core_type} if core_type else {}))
    with quiet():
        done = subprocess.run([*FIRST, str(BUILD / "tests/gemm_speed"), str(SECONDS)], stdout=subprocess.PIPE, check=True, env=env)
    return json.loads(done.stdout)


def bench_gemm(work):
    """Each shape: own kernels, the same with the right operand packed beforehand, OpenBLAS, in GFLOP/s."""
    runs = [measure(core_type) for core_type in CORE_TYPES]
    names, rows = [run["openblas"] for run in runs], []
    for cells in zip(*(run["rows"] for run in runs)):
        row = {**cells[0], **{key: statistics.median(cell[key] for cell in cells) for key in ("peak", "clock", "ours", "packed")}}
        best = max(range(len(runs)), key=lambda i: cells[i]["openblas"])
        row.update(openblas=cells[best]["openblas"], core_type=names[best], share=statistics.median(cell["ours"] / cell["peak"] for cell in cells))
        rows.append(row)
        say("gemm", f"{row['name']:22} {row['kind']} {row['m']:5} x {row['n']:4} x {row['k']:5}: {row['ours']:6.1f} GFLOP/s, {100 * row['share']:3.0f} % of the peak "
            f"({row['peak']:.0f}; {row['clock']:.0f} between interruptions), packed beforehand {row['packed']:6.1f}; OpenBLAS {row['core_type']} {row['openblas']:6.1f}: {row['ours'] / row['openblas']:.2f}x")
    shares, ratios = [row["share"] for row in rows], [row["ours"] / row["openblas"] for row in rows]
    say("gemm", f"{runs[0]['kernels']} kernels: {100 * statistics.geometric_mean(shares):.0f} % of the peak, {statistics.geometric_mean(ratios):.2f}x OpenBLAS "
        f"(geometric means of {len(rows)} shapes)", kernels=runs[0]["kernels"], rows=rows)
