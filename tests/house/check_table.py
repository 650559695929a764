#!/usr/bin/env python3
"""The table of rooms in docs/architecture.md says what the build says: the same rooms in the same
order, each with the rooms of its USES and OPTIONAL lines.

usage: check_table.py TREE
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", re.M)


def table(tree):
    """Room and what it uses, in the order of the page."""
    page = (tree / "docs/architecture.md").read_text()
    return {room: set(re.findall(r"\w+", uses.partition(";")[0])) for room, uses in ROW.findall(page)}


def build(tree):
    """The same from the CMake files."""
    order = re.search(r"foreach\(room IN ITEMS ([^)]*)\)", (tree / "CMakeLists.txt").read_text())[1]
    rooms = {}
    for room in order.split():
        lists = tree / "src" / room / "CMakeLists.txt"
        if not lists.exists():
            continue
        call = re.search(r"vv_module\(([^)]*)\)", lists.read_text())[1]
        words = re.split(r"\b(SOURCES|USES|OPTIONAL|LIBS|INCLUDES)\b", call)
        said = dict(zip(words[1::2], words[2::2]))
        rooms[room] = set((said.get("USES", "") + said.get("OPTIONAL", "")).split())
    return rooms


def main():
    tree = pathlib.Path(sys.argv[1])
    told, built = table(tree), build(tree)
    bad = 0
    if list(told) != list(built):
        print(f"rooms of the page: {list(told)}\nrooms of the build: {list(built)}", file=sys.stderr)
        bad = 1
    for room in built:
        if told.get(room) != built[room]:
            print(f"{room}: the page says {sorted(told.get(room, []))}, the build {sorted(built[room])}",
                  file=sys.stderr)
            bad = 1
    lost = {path.name for path in (tree / "src").iterdir() if path.is_dir()} - set(built)
    if lost:
        print(f"in no list of rooms: {sorted(lost)}", file=sys.stderr)
        bad = 1
    print(f"table: {len(built)} rooms")
    return bad


if __name__ == "__main__":
    sys.exit(main())
