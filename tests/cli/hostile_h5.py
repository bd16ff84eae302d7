"""Writes model.weights.h5 files that h5py is willing to make and nobody should read, from a good one: hostile_h5.py GOOD FOLDER. One file per attack."""
import os
import shutil
import sys

import h5py
import numpy as np

good, folder = sys.argv[1:]
KERNEL = "layers/dense/vars/0"


def variant(name):
    path = os.path.join(folder, name + ".h5")
    shutil.copy(good, path)
    return h5py.File(path, "r+")


def replaced(name, make):
    with variant(name) as f:
        del f[KERNEL]
        make(f)


replaced("soft_link", lambda f: f.__setitem__(KERNEL, h5py.SoftLink("/optimizer/vars/2")))
replaced("soft_link_cycle", lambda f: f.__setitem__(KERNEL, h5py.SoftLink("/" + KERNEL)))
replaced("external_link", lambda f: f.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "/x")))
replaced("hard_link", lambda f: f.__setitem__(KERNEL, f["optimizer/vars/2"]))
replaced("external_storage", lambda f: f.create_dataset(KERNEL, (2, 8), "f4", external=[("/etc/passwd", 0, 64)]))
replaced("missing_weight", lambda f: None)
replaced("wrong_shape", lambda f: f.create_dataset(KERNEL, data=np.zeros((3, 8), "f4")))
replaced("text_weight", lambda f: f.create_dataset(KERNEL, data=["a", "b"]))
replaced("complex_weight", lambda f: f.create_dataset(KERNEL, data=np.zeros((2, 8), "c8")))
replaced("compound_weight", lambda f: f.create_dataset(KERNEL, data=np.zeros((2, 8), [("a", "f4"), ("b", "i4")])))
replaced("big_endian", lambda f: f.create_dataset(KERNEL, data=np.zeros((2, 8), ">f4")))
replaced("group_for_weight", lambda f: f.create_group(KERNEL))
replaced("shape_bomb", lambda f: f.create_dataset(KERNEL, (1 << 20, 1 << 20), "f4"))
replaced("chunk_bomb", lambda f: f.create_dataset(KERNEL, (1 << 20, 1 << 18), "f4", chunks=(1 << 10, 1 << 10), compression="gzip"))
replaced("rank_bomb", lambda f: f.create_dataset(KERNEL, (1,) * 32, "f4"))
replaced("empty_shape", lambda f: f.create_dataset(KERNEL, (0, 8), "f4"))
replaced("null_space", lambda f: f.create_dataset(KERNEL, data=h5py.Empty("f4")))
replaced("unwritten", lambda f: f.create_dataset(KERNEL, (2, 8), "f4"))
replaced("szip_or_lzf", lambda f: f.create_dataset(KERNEL, data=np.zeros((2, 8), "f4"), chunks=(2, 8), compression="lzf"))


def deflated_bomb(f):
    data = f.create_dataset(KERNEL, (2, 8), "f4", chunks=(2, 8), compression="gzip")
    import zlib
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 28), 9))


replaced("deflated_bomb", deflated_bomb)

with variant("group_soft_link") as f:
    del f["layers/dense"]
    f["layers/dense"] = h5py.SoftLink("/layers/dense_1")
with variant("group_external_link") as f:
    del f["layers/dense"]
    f["layers/dense"] = h5py.ExternalLink(good, "/layers/dense")
with variant("group_cycle") as f:
    f["layers/dense/again"] = f["layers"]
with variant("deep_groups") as f:
    at = f
    for k in range(300):
        at = at.create_group("g")
with variant("many_groups") as f:
    for k in range(30000):
        f.create_group(f"x/g{k}")
with variant("terminal_names") as f:
    f.create_dataset("layers/\x1b]0;owned\x07", data=np.zeros(3, "f4"))
with variant("no_optimizer") as f:
    del f["optimizer"]
with variant("half_optimizer") as f:
    del f["optimizer/vars/9"]
with variant("nan_weights") as f:
    f[KERNEL][...] = np.nan
with variant("virtual") as f:
    del f[KERNEL]
    layout = h5py.VirtualLayout((2, 8), "f4")
    layout[:] = h5py.VirtualSource(good, "layers/dense/vars/0", (2, 8))
    f.create_virtual_dataset(KERNEL, layout)
