#!/usr/bin/env python3
"""Reads the JSON lines of one measurement and says how we stand against the bars.

usage: report.py RESULTS.jsonl            prints the table
       report.py RESULTS.jsonl PAGE.md    writes the page, and growth.svg beside it
       report.py RESULTS.jsonl PAGE.md SECTION    writes one section of the page alone: recorder, sharded or encrypted

A line of the file is what a benchmark printed ({"case", "items", "ns_per_item", …}) with the
"round" in which it ran, or {"run": {…}} about the machine. A ratio is taken within a round, and the
median over the rounds is shown, so that a machine that changes its speed does less harm.
"""
import collections
import json
import os
import pathlib
import statistics
import sys

import report_arrays
import report_recorder
from report_text import show_factor, show_ns, verdict

Bar = collections.namedtuple("Bar", "work ours peers factor note clock")

WALL, CPU = "ns_per_item", "cpu_ns_per_item"


def bar(work, ours, peers, factor, note, clock=WALL):
    """ours must be at least factor times as fast as the slowest of peers.

    clock: processor time for what only computes, in one thread; else time on the wall.
    """
    return Bar(work, ours, peers.split(), factor, note, clock)


BARS = [
    bar("HAMT set, 64-byte values, memory store, one thread", "hamt/set", "py-hamt/set", 100,
        "py-hamt 3.6.0", CPU),
    bar("the same, key by key instead of a thousand at a time", "hamt/set_single", "py-hamt/set", 100,
        "py-hamt 3.6.0", CPU),
    bar("HAMT get, cold from the local store", "hamt/get_cold", "py-hamt/get_cold", 100,
        "py-hamt 3.6.0"),
    bar("HAMT get, warm, a thousand keys in a call, memory store", "hamt/get_warm", "py-hamt/get_warm", 200,
        "py-hamt 3.6.0, which has no such call", CPU),
    bar("the same, key by key", "hamt/get_warm_single", "py-hamt/get_warm", 200, "py-hamt 3.6.0", CPU),
    bar("HAMT flush of dirty keys", "hamt/flush", "py-hamt/flush", 50, "py-hamt 3.6.0", CPU),
    bar("sharded store: set of small chunks and commit, memory store, one thread", "sharded/set",
        "py-hamt/sharded_set", 200, "py-hamt 3.6.0", CPU),
    bar("the same, key by key", "sharded/set_single", "py-hamt/sharded_set", 200, "py-hamt 3.6.0", CPU),
    bar("get at random among 10 M chunks, cold", "sharded/get_cold", "py-hamt/sharded_get_cold", 50,
        "py-hamt 3.6.0", CPU),
    bar("get from shards that were read, a thousand keys in a call", "sharded/get_warm",
        "py-hamt/sharded_get_warm", 100, "py-hamt 3.6.0, which has no such call", CPU),
    bar("the same, key by key", "sharded/get_warm_single", "py-hamt/sharded_get_warm", 100, "py-hamt 3.6.0", CPU),
    bar("1 M chunks, grown along the first dimension", "sharded/resize_leading", "py-hamt/sharded_resize_leading",
        50, "py-hamt 3.6.0", CPU),
    bar("HAMT of 1 M keys made a sharded root, local store, verified", "sharded/convert", "py-hamt/sharded_convert", 50,
        "py-hamt 3.6.0, which verifies nothing"),
    bar("list of 1 M chunks", "sharded/list", "py-hamt/sharded_list", 20, "py-hamt 3.6.0", CPU),
    bar("put of 1 MiB blocks, hashed", "local/put_hashed", "raw/blake3 raw/write", 0.7,
        "the slower of hashing and writing"),
    bar("get of 1 MiB blocks, verified", "local/get_verified", "raw/blake3 raw/read", 0.7,
        "the slower of hashing and reading"),
    bar("put of 300-byte blocks, durable every 1 000", "local/put_small", "lmdb/put_small", 5, "LMDB"),
    bar("random get of 300-byte blocks", "local/get_small", "lmdb/get_small", 3, "LMDB"),
    bar("the same, 64 names in one call", "local/get_many_small", "lmdb/get_small", 3,
        "LMDB, which has no such call"),
    bar("miss", "local/miss_small", "lmdb/miss_small", 5, "LMDB"),
    bar("2 GiB of 1 MiB blocks, put", "local/put_large", "lmdb/put_large", 1, "LMDB"),
    bar("2 GiB of 1 MiB blocks, get without a copy", "local/get_view", "raw/pread", 2, "raw pread"),
    bar("BLAKE3 of 1 MiB", "blake3/large", "blake3-official/large", 0.9, "the official C code", CPU),
    bar("BLAKE3 of many short keys", "blake3/many", "blake3-official/many", 1,
        "the official C code, key by key", CPU),
    bar("CRC-32C of 1 MiB", "crc32c/large", "crc32c-peer/large", 0.9, "its library", CPU),
    bar("encrypt a 512 KiB value, in segments", "encrypted/seal", "aead/seal", 0.85,
        "XChaCha20-Poly1305 of libcrypto alone", CPU),
    bar("decrypt it", "encrypted/open", "aead/open", 0.85, "XChaCha20-Poly1305 of libcrypto alone", CPU),
    bar("encrypt a 512 KiB value as py-hamt does", "encrypted/pyhamt_seal", "aead/seal", 0.85,
        "XChaCha20-Poly1305 of libcrypto alone", CPU),
    bar("decrypt it", "encrypted/pyhamt_open", "aead/open", 0.85, "XChaCha20-Poly1305 of libcrypto alone", CPU),
    bar("encrypt a 512 KiB value", "encrypted/seal", "py-hamt-encrypted/seal", 6, "py-hamt 3.6.0", CPU),
    bar("decrypt it", "encrypted/open", "py-hamt-encrypted/open", 6, "py-hamt 3.6.0", CPU),
    bar("get an encrypted 512 KiB value from a HAMT, memory store", "encrypted/get", "py-hamt-encrypted/get", 5,
        "py-hamt 3.6.0", CPU),
    bar("the same in py-hamt's format", "encrypted/pyhamt_get", "py-hamt-encrypted/get", 6, "py-hamt 3.6.0", CPU),
    bar("set it: encrypted, hashed and kept, fresh memory for each", "encrypted/set", "py-hamt-encrypted/set", 4,
        "py-hamt 3.6.0", CPU),
    bar("4 kB of an encrypted 64 MiB value (64 KiB read and decrypted)", "encrypted/range_4k", "aead/open", 6,
        "decrypting 512 KiB", CPU),
]

# (case, member, most, unit, divisor, what)
CAPS = [
    ("import/memory", "peak_rss", 300, "MiB", 1 << 20, "memory while importing a 2 GiB file"),
    ("sharded/convert", "peak_rss", 256, "MiB", 1 << 20, "memory while making a sharded root of a HAMT of 1 M keys"),
    ("sharded/get_cold", "cached_bytes", 100, "MiB", 1 << 20, "shards held after gets all over 10 M chunks"),
    ("arrays/one_of_million", WALL, 5, "ms", 1e6,
     "opening a root and reading one value of an array of a million chunks, local store, page cache cold"),
]
# (case, least MB/s, what)
RATES = [
    ("cbor/decode_node", 500, "DAG-CBOR decode of HAMT nodes"),
    ("cbor/encode_node", 500, "DAG-CBOR encode of HAMT nodes"),
]
GROWTH = {
    "growth/set": "set and flush",
    "growth/get": "get of every key",
    "growth/verify": "verify",
    "growth/get_some": "get of 100,000 keys at random, map just opened",
}
GROWTH_BAR = 2.0


def read(path):
    run, rounds = {}, collections.defaultdict(lambda: collections.defaultdict(list))
    growth = collections.defaultdict(lambda: collections.defaultdict(list))
    for text in pathlib.Path(path).read_text().splitlines():
        line = json.loads(text)
        if "run" in line:
            # A file holds many measurements; the last is the one to report.
            run = line["run"]
            rounds.clear()
            growth.clear()
        elif line["case"] in GROWTH:
            growth[line["case"]][line["n"]].append(line["ns_per_item"])
        else:
            rounds[line.get("round", 0)][line["case"]].append(line)
    return run, rounds, growth


def each_round(rounds, case, clock):
    """Per round: the case's nanoseconds an item, or nothing."""
    return {r: min(line.get(clock, line[WALL]) for line in cases[case])
            for r, cases in rounds.items() if case in cases}


def ratio(rounds, ours, peers, clock):
    """Median over rounds of slowest peer ÷ ours; a peer of few rounds lends its median."""
    mine = each_round(rounds, ours, clock)
    theirs = [each_round(rounds, peer, clock) for peer in peers]
    if not mine or not all(theirs):
        return None
    of_round = []
    for r, ns in mine.items():
        slowest = max(peer.get(r, statistics.median(peer.values())) for peer in theirs)
        of_round.append(slowest / ns)
    return statistics.median(of_round)


def median_ns(rounds, case, clock=WALL):
    values = list(each_round(rounds, case, clock).values())
    return statistics.median(values) if values else None


def all_lines(rounds, case):
    return [line for cases in rounds.values() for line in cases.get(case, [])]


def bar_rows(rounds):
    for b in BARS:
        found = ratio(rounds, b.ours, b.peers, b.clock)
        if found is None:
            yield b.work, f"≥ {b.factor} × {b.note}", "not measured", "", ""
            continue
        peers = ", ".join(f"{peer} {show_ns(median_ns(rounds, peer, b.clock))}" for peer in b.peers)
        yield (b.work, f"≥ {b.factor} × {b.note}", f"{show_factor(found)} ×",
               verdict(found >= b.factor), f"{b.ours} {show_ns(median_ns(rounds, b.ours, b.clock))}; {peers}")


def rate_rows(rounds):
    for case, least, what in RATES:
        lines = [line for line in all_lines(rounds, case) if "bytes_per_item" in line]
        if not lines:
            yield what, f"≥ {least} MB/s", "not measured", "", ""
            continue
        rate = statistics.median(line["bytes_per_item"] * 1e3 / line[CPU] for line in lines)
        yield what, f"≥ {least} MB/s", f"{rate:.0f} MB/s", verdict(rate >= least), case


def cap_rows(rounds):
    for case, member, most, unit, divisor, what in CAPS:
        lines = [line for line in all_lines(rounds, case) if member in line]
        if not lines:
            yield what, f"≤ {most} {unit}", "not measured", "", ""
            continue
        value = max(line[member] for line in lines) / divisor
        yield what, f"≤ {most} {unit}", f"{value:.3g} {unit}", verdict(value <= most), case


def growth_rows(growth):
    for case, what in GROWTH.items():
        sizes = sorted(growth.get(case, {}))
        if len(sizes) < 2:
            yield f"cost growth, {what}", f"< {GROWTH_BAR:g} ×", "not measured", "", ""
            continue
        cost = {n: statistics.median(growth[case][n]) for n in sizes}
        grown = cost[sizes[-1]] / cost[sizes[0]]
        path = ", ".join(f"{n:,}: {show_ns(cost[n])}" for n in sizes)
        yield (f"cost growth, {what}, {sizes[0]:,} to {sizes[-1]:,} keys",
               f"< {GROWTH_BAR:g} ×", f"{grown:.2f} ×", verdict(grown < GROWTH_BAR), path)


def rows(rounds, growth):
    yield from bar_rows(rounds)
    yield from rate_rows(rounds)
    yield from cap_rows(rounds)
    yield from growth_rows(growth)


# ---- the plot: cost a key over the number of keys, both axes logarithmic ------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 80, 120, 20, 50
COLOURS = {"growth/set": "#1b6ca8", "growth/get": "#c05621", "growth/verify": "#2f855a",
           "growth/get_some": "#8a6fb0"}


def svg(growth):
    import math
    series = {case: {n: statistics.median(v) for n, v in growth[case].items()}
              for case in GROWTH if growth.get(case)}
    if not series:
        return None
    every = [(n, ns) for line in series.values() for n, ns in line.items()]
    x0, x1 = math.log10(min(n for n, _ in every)), math.log10(max(n for n, _ in every))
    y0 = math.floor(math.log10(min(ns for _, ns in every)))
    y1 = max(math.ceil(math.log10(max(ns for _, ns in every))), y0 + 1)

    def x(n):
        return LEFT + (math.log10(n) - x0) / max(x1 - x0, 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(ns):
        return HEIGHT - BOTTOM - (math.log10(ns) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           '<title>Cost of a key over the number of keys</title>',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for decade in range(y0, y1 + 1):
        at = y(10 ** decade)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{show_ns(10.0 ** decade)}</text>')
    for n in sorted({n for n, _ in every}):
        out.append(f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{n:,}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">keys</text>')
    for case, line in series.items():
        points = [(x(n), y(line[n])) for n in sorted(line)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[case]}" stroke-width="2"/>')
        out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{COLOURS[case]}"/>' for px, py in points]
        px, py = points[-1]
        out.append(f'<text x="{px + 8:.1f}" y="{py + 4:.1f}" fill="{COLOURS[case]}">{case[7:]} a key</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


# ---- output ---------------------------------------------------------------------------------

def other_cases(rounds):
    named = {b.ours for b in BARS} | {peer for b in BARS for peer in b.peers}
    named |= {case for case, *_ in CAPS} | {case for case, *_ in RATES}
    for case in sorted({case for cases in rounds.values() for case in cases} - named):
        if report_arrays.is_cell(case) or report_recorder.is_cell(case):
            continue
        lines = all_lines(rounds, case)
        ns = median_ns(rounds, case)
        rate = ""
        if "bytes_per_item" in lines[0] and ns:
            rate = f"{lines[0]['bytes_per_item'] * 1e3 / ns:,.0f} MB/s"
        yield case, f"{lines[0]['items']:,}", show_ns(ns), rate


def page(run, rounds, growth):
    out = ["# Benchmarks", "",
           "Written by `make bench`. Every ratio is between figures of one run on one machine: we and the "
           "peer took turns, and the median of the rounds is shown. Larger is faster. What only computes, in "
           "one thread, is held against its peer by processor time; everything else by time on the wall.", ""]
    for name, value in run.items():
        out.append(f"- {name}: {value}")
    out += ["", "| work | bar | measured | | an item |", "|---|---|---|---|---|"]
    out += ["| " + " | ".join(row) + " |" for row in rows(rounds, growth)]
    out += report_arrays.section(rounds)
    out += report_recorder.section(run, rounds)
    if any(growth.values()):
        out += ["", "![Cost of a key over the number of keys](growth.svg)"]
    others = list(other_cases(rounds))
    if others:
        out += ["", "## Other cases", "", "| case | items | an item | rate |", "|---|---|---|---|"]
        out += ["| " + " | ".join(row) + " |" for row in others]
    out += ["", "## How to repeat it", "",
            "`make bench` on a quiet machine; `BENCH_QUICK=1 make bench` is a short run with fewer items. "
            "The raw lines are appended to `build/bench/results.jsonl`.", ""]
    return "\n".join(out)


def replace_section(text, title, lines):
    """The page with another section of that title, put before the last one where it had none."""
    parts = text.split("\n## ")
    new = "\n".join(lines).removeprefix("\n## ").rstrip("\n") + "\n"
    for i, part in enumerate(parts):
        if part.startswith(title + "\n"):
            parts[i] = new
            break
    else:
        parts.insert(len(parts) - 1, new)
    return "\n## ".join(parts)


# What BENCH_ONLY measures alone has a section of its own, with the run that it is from.
SECTIONS = {"recorder": "Recorder", "sharded": "Sharded stores", "encrypted": "Encrypted stores"}


def section(name, run, rounds, growth):
    """Lines of the section; none where nothing was measured."""
    if name == "recorder":
        return report_recorder.section(run, rounds)
    found = [row for row in rows(rounds, growth) if row[2] != "not measured"]
    if not found:
        return []
    out = ["", f"## {SECTIONS[name]}", ""]
    out += [f"- {what}: {value}" for what, value in run.items()]
    out += ["", "| work | bar | measured | | an item |", "|---|---|---|---|---|"]
    return out + ["| " + " | ".join(row) + " |" for row in found]


def main():
    run, rounds, growth = read(sys.argv[1])
    if len(sys.argv) > 3:
        target, name = pathlib.Path(sys.argv[2]), sys.argv[3]
        lines = section(name, run, rounds, growth)
        if lines:
            target.write_text(replace_section(target.read_text(), SECTIONS[name], lines))
            print(f"wrote the section '{SECTIONS[name]}' into {target}")
        return
    if len(sys.argv) > 2:
        target = pathlib.Path(sys.argv[2])
        target.write_text(page(run, rounds, growth))
        picture = svg(growth)
        if picture:
            (target.parent / "growth.svg").write_text(picture)
        print(f"wrote {target}")
        return
    for work, wanted, found, ok, detail in rows(rounds, growth):
        if found == "not measured" and os.environ.get("BENCH_ONLY"):
            continue
        print(f"{work}: {found} (bar {wanted}) {ok.replace('*', '')}\n    {detail}")
    print("\n".join(report_arrays.section(rounds) + report_recorder.text(rounds)))


if __name__ == "__main__":
    main()
