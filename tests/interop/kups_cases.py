"""Trees at random, for the tests with kUPS: as Python holds them, and as our JSON says them.

Classes here are what files name as "kups_cases:Frame" and so on.
"""
import collections
import json
import subprocess
import typing

import jax
import ml_dtypes
import numpy as np

jax.config.update("jax_enable_x64", True)

from kups.core.utils.jax import dataclass, field  # noqa: E402  (after the option)


class Thermo(typing.NamedTuple):
    temperature: typing.Any
    pressure: typing.Any


@dataclass
class Cell:
    lattice: typing.Any
    periodic: typing.Any
    name: str = field(static=True, default="triclinic")


@dataclass
class Frame:
    positions: typing.Any
    cell: typing.Any
    stride: int = field(static=True, default=1)
    labels: tuple = field(static=True, default=("a", 2.5, None))


# kUPS registers its classes with JAX as data classes up to 1.0.1, as classes with functions of their own since.
CLASSES_ARE = ("dataclass" if jax.tree.structure(Cell(0, 0)).__getstate__()[1][-1][0] == 7 else "custom")

DTYPES = [np.dtype(name) for name in (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128").split()] + [np.dtype(ml_dtypes.bfloat16)]
KEYS = ["positions", "energy", "it's", 'both \' and "', "größe", "tab\there", "\u200bhidden", "a.b", "x y", "",
        "Ω", "back\\slash", "é\u0301", "\U0001f600"]


class Trees:
    """Grows trees whose leaves are arrays; the same from the same seed."""

    def __init__(self, seed, dtypes=DTYPES):
        self.random = np.random.default_rng(seed)
        self.dtypes = dtypes

    def leaf(self):
        dtype = self.dtypes[self.random.integers(len(self.dtypes))]
        shape = tuple(self.random.integers(1, 5, self.random.integers(0, 4)).tolist())
        return self.values(dtype, shape)

    def values(self, dtype, shape):
        """Any values of a type, but bool's only 0 and 1, and no NaN whose bits somebody might change."""
        if dtype == np.bool_:
            return self.random.integers(0, 2, shape).astype(bool)
        if dtype.kind in "iu":
            return np.frombuffer(self.random.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)
        real = self.random.normal(size=shape) * 10
        if dtype.kind == "c":
            real = real + 1j * self.random.normal(size=shape)
        return np.asarray(real).astype(dtype)

    def children(self, depth, least=0):
        return [self.tree(depth - 1) for _ in range(self.random.integers(least, 4))]

    def tree(self, depth=3):
        kind = self.random.integers(10) if depth > 0 else 0
        if kind <= 2:
            return self.leaf()
        if kind <= 4:
            children = self.children(depth)
            keys = (KEYS if self.random.integers(4) else [-3, 0, 7, 2**40])[:]
            self.random.shuffle(keys)
            return dict(zip(keys, children))
        if kind == 5:
            return self.children(depth)
        if kind == 6:
            return tuple(self.children(depth))
        if kind == 7:
            return Thermo(self.tree(depth - 1), self.tree(depth - 1))
        if kind == 8:
            return Frame(self.leaf(), Cell(self.leaf(), self.tree(depth - 1), "cubic"),
                         int(self.random.integers(1, 1 << 20)))
        if self.random.integers(2):
            return None
        return collections.OrderedDict(zip(("z", "a", "m"), self.children(depth)))

    def full_tree(self):
        """One that has leaves, and of which no dict is empty at the top."""
        while True:
            tree = self.tree()
            if jax.tree.leaves(tree):
                return tree

    def again(self, tree):
        """The same tree with other values."""
        return jax.tree.map(lambda leaf: self.values(leaf.dtype, leaf.shape), tree)


# ---- as our JSON says it ---------------------------------------------------------------------------

def static(value):
    if isinstance(value, tuple):
        return {"tuple": [static(v) for v in value]}
    return value


def node_of(tree, leaf):
    """The JSON of docs/format/tree.md. leaf: what makes a node of a leaf."""
    def children(values):
        return [node_of(value, leaf) for value in values]

    if tree is None:
        return {"kind": "none"}
    if isinstance(tree, collections.OrderedDict):
        return {"kind": "custom", "class": "collections:OrderedDict", "meta": static(tuple(tree)),
                "children": children(tree.values())}
    if isinstance(tree, dict):
        keys = sorted(tree)
        return {"kind": "dict", "keys": keys, "children": children(tree[key] for key in keys)}
    if isinstance(tree, Thermo):
        return {"kind": "namedtuple", "class": "kups_cases:Thermo", "fields": list(Thermo._fields),
                "children": children(tree)}
    if isinstance(tree, (Frame, Cell)):
        fields = ["positions", "cell"] if isinstance(tree, Frame) else ["lattice", "periodic"]
        meta = (tree.stride, tree.labels) if isinstance(tree, Frame) else (tree.name,)
        return {"kind": CLASSES_ARE, "class": "kups_cases:" + type(tree).__name__, "fields": fields,
                "meta": static(meta), "children": children(getattr(tree, name) for name in fields)}
    if isinstance(tree, (list, tuple)):
        return {"kind": type(tree).__name__, "children": children(tree)}
    return leaf(tree)


def has_leaves(node):
    return node["kind"] == "leaf" or any(map(has_leaves, node.get("children", ())))


def bare(node):
    """A tree from a file, without what only one side says: numbers of leaves, fields of built-in classes and of
    what has no leaves, since a file holds names of leaves only."""
    out = {name: value for name, value in node.items() if name in ("kind", "class", "keys", "meta")}
    children = node.get("children", [])
    if node["kind"] in ("namedtuple", "dataclass") or (
            node["kind"] == "custom" and not node["class"].startswith("collections:")):
        out["fields"] = [has_leaves(child) and name for name, child in zip(node["fields"], children)]
    if children:
        out["children"] = [bare(child) for child in children]
    return out


# ---- comparing ------------------------------------------------------------------------------------

def same(got, wanted, what):
    """Two arrays, bit for bit. Types that HDF5 has no name for come back as raw bytes."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if wanted.dtype == ml_dtypes.bfloat16:
        wanted = wanted.view("V2")
    assert got.dtype == wanted.dtype, f"{what}: {got.dtype}, not {wanted.dtype}"
    assert got.shape == wanted.shape, f"{what}: {got.shape}, not {wanted.shape}"
    assert got.tobytes() == wanted.tobytes(), f"{what}: other values"


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def dump(tool, path, directory):
    directory.mkdir(parents=True, exist_ok=True)
    return json.loads(run(tool, "dump", path, directory))
