#!/usr/bin/env python3
"""Checks that the links of the Markdown pages lead somewhere.

A link to a file of the tree must name a file or folder that is there; a #fragment must be a
heading of the page it names; `path#name` into a source file must name something that the file
holds (the proofs in docs/promises.md do so). Links to other hosts are left alone. A page below docs/
that no page links to is a fault too.

usage: check_links.py TREE
"""
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def pages(tree):
    listed = subprocess.run(
        ["git", "-C", tree, "ls-files", "-co", "--exclude-standard", "*.md"],
        capture_output=True, text=True)
    if listed.returncode == 0:
        return [tree / name for name in listed.stdout.splitlines()
                if not name.startswith("tests/data/") and (tree / name).exists()]
    return [page for page in tree.rglob("*.md") if "build" not in page.parts]


def anchors(page):
    """The fragment of each heading, as code hosts make them."""
    text = FENCE.sub("", page.read_text())
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", text, re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


def problem_of(tree, page, target):
    """What is wrong with a link, or None."""
    if re.match(r"[a-z]+:", target):
        return None
    path, _, fragment = target.partition("#")
    place = (page.parent / path).resolve() if path else page
    if not place.exists():
        return "no such file"
    if tree.resolve() not in (place, *place.parents):
        return "leads out of the tree"
    if not fragment:
        return None
    if place.suffix == ".md":
        return None if fragment in anchors(place) else "no such heading"
    if place.is_file() and not re.search(rf"\b{re.escape(fragment)}\b", place.read_text(errors="replace")):
        return "the file does not hold that name"
    return None


def main():
    tree = pathlib.Path(sys.argv[1]).resolve()
    count = bad = 0
    linked = set()
    for page in pages(tree):
        for target in LINK.findall(FENCE.sub("", page.read_text())):
            count += 1
            linked.add((page.parent / target.partition("#")[0]).resolve())
            problem = problem_of(tree, page, target)
            if problem:
                bad += 1
                print(f"{page.relative_to(tree)}: {target}: {problem}", file=sys.stderr)
    for page in pages(tree):
        if tree / "docs" in page.parents and page.resolve() not in linked:
            bad += 1
            print(f"{page.relative_to(tree)}: no page links to it", file=sys.stderr)
    print(f"links: {count} checked, {bad} lead nowhere")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
