#!/usr/bin/env python3
"""The shared library exports vv_* alone, and every function that the headers of its rooms declare.

usage: check_exports.py TREE LIBRARY ROOM…
"""
import pathlib
import re
import subprocess
import sys

DECLARATION = re.compile(r"^VV_API\b[^;{]*?\b(vv_\w+)\s*\(", re.M)
ROOM_OF = {"base": "util", "cid": "multiformats"}  # the other headers are named after their room


def declared(tree, rooms):
    """The functions in the public headers of these rooms."""
    found = set()
    for header in (tree / "include/varvite").glob("*.h"):
        stem = header.stem.removesuffix("_backend")
        if ROOM_OF.get(stem, stem) in rooms:
            found |= set(DECLARATION.findall(header.read_text()))
    return found


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split()[2].split("@")[0] for line in lines}


def main():
    tree, library, rooms = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    is_there, wanted = exported(library), declared(tree, rooms)
    foreign = sorted(name for name in is_there if not name.startswith("vv_"))
    missing = sorted(wanted - is_there)
    undeclared = sorted(is_there - wanted - set(foreign))
    for what, names in (("not of ours", foreign), ("declared and not there", missing),
                        ("in no header", undeclared)):
        if names:
            print(f"exports: {what}: {' '.join(names)}", file=sys.stderr)
    print(f"exports: {len(is_there)} symbols, {len(wanted)} declared")
    return 1 if foreign or missing or undeclared or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
