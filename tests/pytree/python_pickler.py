#!/usr/bin/env python3
"""Trees against CPython's own pickler, repr() and sorted(). usage: python_pickler.py TREE_TOOL [TREES]

A class of our own stands where jaxlib's PyTreeDef would: it reduces to the same parts, so that
pickle.dumps() writes the bytes that JAX's tree would have.
"""
import collections
import json
import pickle
import random
import subprocess
import sys
import types

tool = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 400


def make_module(name):
    module = types.ModuleType(name)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        make_module(parent) if parent not in sys.modules else None
        setattr(sys.modules[parent], child, module)
    return module


class PyTreeDef:
    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class Registry:
    def __reduce__(self):
        return "default_registry"


PyTreeDef.__module__ = "jaxlib._jax.pytree"
make_module("jaxlib._jax.pytree").PyTreeDef = PyTreeDef
registry = Registry()
make_module("jax._src.tree_util").default_registry = registry
Registry.__module__ = "jax._src.tree_util"


class Particle(int):
    pass


class Label(str):
    pass


class Frame:
    pass


Point = collections.namedtuple("Point", "x y")
for made in (Particle, Label, Frame, Point):
    made.__module__ = "simulation.types"
module = make_module("simulation.types")
module.Particle, module.Label, module.Frame, module.Point = Particle, Label, Frame, Point


class Node:
    def __init__(self, kind, children=(), keys=None, type=None, meta=None, fields=None):
        self.kind, self.children, self.keys, self.type = kind, list(children), keys, type
        self.meta, self.fields = meta, fields


KINDS = ["leaf", "none", "tuple", "namedtuple", "list", "dict", "custom", "dataclass"]


def value_json(value):
    """The JSON form of a static value or key."""
    if isinstance(value, (Particle, Label)):
        plain = int(value) if isinstance(value, Particle) else str(value)
        return {"new": f"simulation.types:{type(value).__name__}", "args": [plain]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, type):
        return {"class": f"{value.__module__}:{value.__qualname__}"}
    if isinstance(value, tuple):
        return {"tuple": [value_json(item) for item in value]}
    if isinstance(value, list):
        return {"list": [value_json(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [value_json(part) for item in value.items() for part in item]}
    raise TypeError(type(value))


def node_json(node, random_order):
    out = {"kind": node.kind}
    children, keys = node.children, node.keys
    if node.kind == "dict":
        order = list(range(len(children)))
        random_order.shuffle(order)
        children, keys = [children[i] for i in order], [keys[i] for i in order]
        out["keys"] = [value_json(key) for key in keys]
    if node.type:
        out["class"] = f"{node.type.__module__}:{node.type.__qualname__}"
    if node.meta is not None:
        out["meta"] = value_json(node.meta)
    if node.fields:
        out["fields"] = node.fields
    if children:
        out["children"] = [node_json(child, random_order) for child in children]
    return out


def finish(node, nodes, names, path):
    """Post-order list of nodes as JAX has it, and the names of leaves; (leaves, nodes) of node."""
    leaves, below = (node.kind == "leaf"), 1
    if node.kind == "leaf":
        names.append("array" + path)
    for i, child in enumerate(node.children):
        if node.kind == "dict":
            key = f"[{node.keys[i]!r}]" if not isinstance(node.keys[i], (Particle, Label)) else (
                f"[{node.keys[i].real!r}]" if isinstance(node.keys[i], Particle) else f"[{str(node.keys[i])!r}]")
        elif node.fields:
            key = "." + node.fields[i]
        elif node.type is collections.OrderedDict:
            key = f"[{node.meta[i]!r}]"
        elif node.kind in ("custom", "dataclass", "namedtuple"):
            key = f"[<flat index {i}>]"
        else:
            key = f"[{i}]"
        more, size = finish(child, nodes, names, path + key)
        leaves, below = leaves + more, below + size
    data = node.type if node.kind == "namedtuple" else node.keys if node.kind == "dict" else node.meta
    kind_type = node.type if node.kind in ("custom", "dataclass") else None
    nodes.append((KINDS.index(node.kind), len(node.children), data, kind_type, int(leaves), below))
    return leaves, below


def random_text(r):
    pools = ["abcxyz_", "'\"\\\n\r\t", "\x00\x07\x7f\xa0\xad", "éßЖ中", "\u200b\u2028\u3000\ue000", "😀\U000e0001\U0010ffff"]
    return sys.intern("".join(r.choice(r.choice(pools)) for _ in range(r.randrange(6))))


def random_int(r):
    return r.choice([r.randrange(300), -r.randrange(300), r.randrange(1 << 18), -r.randrange(1 << 40), r.randrange(1 << 70),
                     (1 << 31) - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1, -(1 << 63), (1 << 63), -128, 127, 128, 65535, 65536,
                     r.randrange(1 << 400), -r.randrange(1 << 400)])


def random_float(r):
    return r.choice([0.0, -0.0, 1.5, -0.25, 1e16, 1e15, 123456789012345680.0, 1e-5, 1e-4, 5e-324, 1.7976931348623157e308, 1e22,
                     r.random(), r.uniform(-1e9, 1e9), r.random() * 10.0 ** r.randrange(-30, 30)])


def random_keys(r, n):
    make = r.choice([random_text, random_int, random_float, lambda r: r.random() < 0.5,
                     lambda r: (r.randrange(3), random_text(r)), lambda r: bytes(r.randrange(256) for _ in range(r.randrange(5))),
                     lambda r: Particle(r.randrange(50)), lambda r: Label(random_text(r)),
                     lambda r: r.choice([r.randrange(9), r.randrange(9) + 0.5])])
    keys = []
    for _ in range(n):
        key = make(r)
        if key not in keys:
            keys.append(key)
    return sorted(keys)


def random_static(r, depth=0):
    choice = r.randrange(12 if depth < 3 else 7)
    if choice < 7:
        return [lambda: None, lambda: r.random() < 0.5, lambda: random_int(r), lambda: random_float(r), lambda: random_text(r),
                lambda: Particle(r.randrange(9)), lambda: r.choice([list, Particle, Frame])][choice]()
    items = [random_static(r, depth + 1) for _ in range(r.randrange(6))]
    if choice < 10:
        return tuple(items)
    if choice < 11:
        return items
    return {random_text(r): item for item in items}


def random_tree(r, depth=0):
    kind = r.choice(["leaf"] * 3 + KINDS[1:]) if depth < 5 else "leaf"
    if kind in ("leaf", "none"):
        return Node(kind)
    n = r.choice([0, 1, 2, 3, 5]) if kind != "namedtuple" else 2
    children = [random_tree(r, depth + 1) for _ in range(n)]
    if kind == "dict":
        keys = random_keys(r, n)
        return Node(kind, children[:len(keys)], keys)
    if kind == "namedtuple":
        return Node(kind, children, type=Point, fields=["x", "y"])
    if kind == "custom" and r.random() < 0.5:
        keys = tuple(dict.fromkeys(random_text(r) for _ in range(n)))
        return Node(kind, children[:len(keys)], type=collections.OrderedDict, meta=keys)
    if kind in ("custom", "dataclass"):
        fields = [f"field_{i}" for i in range(n)] if r.random() < 0.7 else None
        return Node(kind, children, type=Frame, meta=tuple(random_static(r) for _ in range(r.randrange(4))), fields=fields)
    return Node(kind, children)


def wide_tree(n):
    keys = sorted(sys.intern(f"key_{i:06d}") for i in range(n))
    return Node("dict", [Node("tuple", [Node("leaf"), Node("none")]) for _ in keys], keys)


trees = [random_tree(random.Random(seed)) for seed in range(count)] + [wide_tree(n) for n in (999, 1000, 1001, 4000)]
order = random.Random(1)
lines = "".join(json.dumps(node_json(tree, order)) + "\n" for tree in trees)
done = subprocess.run([tool], input=lines.encode(), stdout=subprocess.PIPE, check=False)
out = done.stdout.decode().splitlines()
for number, tree in enumerate(trees):
    nodes, names = [], []
    finish(tree, nodes, names, "")
    made = PyTreeDef()
    made.state = (registry, nodes)
    wanted = pickle.dumps(made, protocol=4).hex()
    if 2 * number + 1 >= len(out):
        sys.exit(f"tree {number}: the tool ended with {done.returncode}")
    if out[2 * number] != json.dumps(names):
        sys.exit(f"tree {number}: names\n{out[2 * number]}\nare not\n{json.dumps(names)}")
    if out[2 * number + 1] != wanted:
        sys.exit(f"tree {number}: pickle\n{out[2 * number + 1]}\nis not\n{wanted}\nof {json.dumps(node_json(tree, order))}")
if done.returncode:
    sys.exit(f"the tool ended with {done.returncode}")
print(f"{len(trees)} trees: names and pickles as Python has them")
