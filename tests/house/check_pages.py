#!/usr/bin/env python3
"""Runs what the pages show, so that they show what happens.

- Every `console` block runs in one temporary directory a page, in order, with the built command
  in front of PATH. A line that begins with `$ ` is a command, the lines after it are what it must
  print (stdout and stderr). `…` stands for any text in a line; alone on a line, for any lines.
  A command that ends in `# exit N` must end with that status, every other one with 0.
- Every `c` block must stand, letter for letter, in a program of examples/, which is built and run
  by a test of its own.

usage: check_pages.py TREE BIN_DIR PAGE…

Exit status 77 without the demo data, and elsewhere than on Debian 12: another libzstd compresses to
other bytes, and so to other roots.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DATA = pathlib.Path("/usr/share/ferret-vis/data/coads_climatology.cdf")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def steps_of(block):
    """[command, expected status, expected lines] of a console block."""
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], 0, []])
        elif steps and steps[-1][0].endswith("\\") and not steps[-1][2]:
            steps[-1][0] += "\n" + line
        elif steps:
            steps[-1][2].append(line)
    for step in steps:
        status = re.search(r"# exit (\d+)$", step[0])
        if status:
            step[1] = int(status[1])
    return steps


def pattern_of(lines):
    parts = []
    for line in lines:
        if line.strip() in ("…", "..."):
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(piece) for piece in line.rstrip().split("…")) + r"[ ]*\n")
    return re.compile("".join(parts) + r"\Z")


def run_command(command, folder, environment):
    """Run it; variables that it sets are there for the next one."""
    kept = pathlib.Path(folder) / ".environment"
    script = f"set -a\n{command}\nstatus=$?\nenv -0 >.environment\nexit $status"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    if kept.exists():
        pairs = kept.read_text().split("\0")
        environment.update(pair.split("=", 1) for pair in pairs if "=" in pair)
        kept.unlink()
    return done


def run_page(page, blocks, bin_dir):
    environment = dict(os.environ, NO_COLOR="1", PATH=f"{bin_dir}:{os.environ['PATH']}")
    environment.pop("VARVITE_STORE", None)
    count = 0
    with tempfile.TemporaryDirectory(prefix="varvite-page-") as folder:
        for command, status, expected in (step for block in blocks for step in steps_of(block)):
            done = run_command(command, folder, environment)
            count += 1
            printed = re.sub(r"[ ]+\n", "\n", done.stdout)
            if printed and not printed.endswith("\n"):
                printed += "\n"
            if done.returncode != status or not pattern_of(expected).match(printed):
                print(f"{page}: $ {command}\n-- status {done.returncode}, wanted {status}; it prints:\n"
                      f"{printed}-- the page shows:\n" + "\n".join(expected), file=sys.stderr)
                return count, False
    return count, True


def main():
    tree, bin_dir = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    system = pathlib.Path("/etc/os-release")
    if not DATA.exists() or not system.exists() or 'VERSION_ID="12"' not in system.read_text():
        print("pages: needs Debian 12 with ferret-datasets")
        return 77
    programs = [path.read_text() for path in sorted((tree / "examples").glob("*.c"))]
    commands = snippets = 0
    good = True
    for name in sys.argv[3:]:
        blocks = BLOCK.findall((tree / name).read_text())
        for text in (body for kind, body in blocks if kind == "c"):
            snippets += 1
            if not any(text in program for program in programs):
                print(f"{name}: a C block stands in no program of examples/:\n{text}", file=sys.stderr)
                good = False
        count, fine = run_page(name, [body for kind, body in blocks if kind == "console"], bin_dir)
        commands += count
        good &= fine
    print(f"pages: {commands} commands, {snippets} C blocks")
    return 0 if good and commands else 1


if __name__ == "__main__":
    sys.exit(main())
