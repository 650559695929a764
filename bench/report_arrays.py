"""The section of arrays: each cell of bench_arrays.c against the fastest of those beside us.

A ratio is taken within a round, in which everybody had a turn right after another, and the median of
the rounds is shown.
"""
import statistics

OURS = ("directory", "hamt")
BAR, GOAL = 1.0, 1.5
OPS = {"write": "write all", "read": "read all", "boxes": "200 boxes of 32³",
       "chunks1": "chunk by chunk, 1 at a time", "chunks8": "chunk by chunk, 8 in flight",
       "inner1": "inner chunks, 1 at a time", "inner8": "inner chunks, 8 in flight"}
CODECS = {"raw": "raw, chunks of 64³", "zstd": "zstd:1, chunks of 64³",
          "blosc": "blosc lz4 with shuffle, chunks of 64³",
          "sharded": "zstd:1, shards of 128³ of chunks of 32³"}

INTRODUCTION = (
    "A cube of uint16 (a smooth field with noise of two bits) by zarr-python 3.4.2 with its default and its fused "
    "pipeline, by TensorStore 0.1.86, by zarrs 0.23.14 and by zarrs 0.2.3 below zarr-python, two threads for "
    "everybody, each cell in a process of its own. Nobody syncs: the directory store is not flushed, TensorStore "
    "runs with `file_io_sync: false`, the local store commits with `VV_PROCESS`. The page cache is warm. All "
    "peers work on a directory; our HAMT in a local store, which checks the hash of every block it reads, is held "
    "against the same figures. The bar is 1 × the fastest peer of the cell, the goal 1.5 ×. Memory is the most "
    "that a process had resident, the mapped files of the local store among it; the peers' is the least of "
    "theirs.")


def is_cell(case):
    return case.startswith("arrays/") and case.count("/") == 4


def cells(rounds):
    """(MiB, codec, op) → who → round → line."""
    out = {}
    for number, cases in rounds.items():
        for case, lines in cases.items():
            if is_cell(case):
                _, size, codec, op, who = case.split("/")
                out.setdefault((int(size), codec, op), {}).setdefault(who, {})[number] = lines[-1]
    return out


def ratio(mine, peers):
    """Median over the rounds of the fastest peer ÷ ours."""
    found = []
    for number, line in mine.items():
        theirs = [peer[number]["ns_per_item"] for peer in peers.values() if number in peer]
        if theirs:
            found.append(min(theirs) / line["ns_per_item"])
    return statistics.median(found) if found else None


def median(lines, member):
    return statistics.median(line[member] for line in lines.values())


def show_rate(lines):
    if not lines:
        return "–"
    return f"{median(lines, 'bytes_per_item') * 1e3 / median(lines, 'ns_per_item'):,.0f}"


def show_ratio(value):
    if value is None:
        return "not measured"
    text = f"{value:.2f} ×"
    return text if value >= BAR else f"**{text}**"


def row(key, who):
    size, codec, op = key
    peers = {name: lines for name, lines in who.items() if name not in OURS}
    if not peers:
        return None
    fastest = min(peers, key=lambda name: median(peers[name], "ns_per_item"))
    least = min(median(lines, "peak_rss") for lines in peers.values()) / (1 << 20)
    out = [f"{size} MiB, {CODECS.get(codec, codec)}", OPS.get(op, op),
           f"{show_rate(peers[fastest])} ({fastest})"]
    for store in OURS:
        mine = who.get(store, {})
        out += [show_rate(mine), show_ratio(ratio(mine, peers))]
    memory = [f"{median(who[store], 'peak_rss') / (1 << 20):.0f}" if store in who else "–"
              for store in OURS]
    return [*out, f"{memory[0]}, {memory[1]}; {least:.0f}"]


def section(rounds):
    """Lines of the page; none where no cell was measured."""
    found = cells(rounds)
    if not found:
        return []
    order = sorted(found, key=lambda key: (key[0], list(CODECS).index(key[1]), list(OPS).index(key[2])))
    out = ["", "## Arrays", "", INTRODUCTION, "",
           "| array | work | fastest peer, MB/s | directory, MB/s | | HAMT, MB/s | | MiB: directory, HAMT; least of peers |",
           "|---|---|---|---|---|---|---|---|"]
    rows = [row(key, found[key]) for key in order]
    return out + ["| " + " | ".join(line) + " |" for line in rows if line]
