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


# Found with perf, not measured by a run: renewed by hand when the code changes.
PROFILE = """
### Where the time goes

Milliseconds of processor time for the 256 MiB of a cell with the HAMT in a local store (`perf`, 2026-11-21, two
threads share them; other work ran on the machine, so they are upper bounds).

| array | work | codec | BLAKE3 | copies | kernel: writes | page faults | rest |
|---|---|---|---|---|---|---|---|
| raw | write all | – | 33 | 40 | 43 | – | 14 |
| raw | read all | – | 48 | 28 | – | 10 store, 18 result | 2 |
| raw | 8 in flight | – | 42 | 6 | – | 9 | 2 |
| zstd | write all | 764 | 29 | 43 | 38 | – | 17 |
| zstd | read all | 245 | 37 | 28 | – | 6 store, 59 result | 3 |
| blosc | write all | 137 | 23 | 45 | 41 | – | 10 |
| blosc | 1 at a time | 57 | 31 | – | – | 5 | 3 |
| blosc | 8 in flight | 54 | 27 | – | – | 5 | 2 |
| sharded | write all | 995 | 26 | 89 | 65 | 38 | 28 |

- **Writes.** Of the 205 ms that raw chunks took, 140 were a sync: a flush of `VV_PROCESS` synced the log after every
  128 MiB. It syncs nothing now before a segment is full, as no peer does. Space for the log is set
  aside in large pieces: 256 MiB in calls of 512 KiB cost the kernel 29 ms then, 46 ms page by page. Both together: 2.0
  to 2.6 × as fast for raw chunks, 1.2 × for blosc. For files of their own, as the directory store writes them, space
  set aside brings nothing.
- **Sharded writes** are zstd to four fifths, for everybody; hash and CRC, which a HAMT adds to that, are 3 %.
- **Reads of whole chunks that cannot reach 1 ×.** BLAKE3 does 10 GB/s on a core here, and no faster with two groups of
  lanes interleaved. Raw chunks, 8 in flight: the fastest peer needs 34 ms of both processors for the 256 MiB and checks
  nothing; the hash alone is 26 ms in the cache, 42 out of mapped pages. Raw, read all: 88 ms to
  the directory's 58, and the difference is the hash. Blosc, 1 at a time: decoding alone takes the peer's 58 ms.
- `MADV_POPULATE_READ` and `MADV_WILLNEED` on the pages of a block cost more than the faults they save (27 and 24 ms to
  19), asking the processor for the next piece while one is hashed makes it slower. Reading a block with `pread` into a
  buffer and hashing it there would save a tenth (40 to 44 ms), and a part of it could then not be read again without
  hashing all of it; it is not done.
- **Small regions.** A call that shares its work out started a thread, 31 µs, and waited for it also when nothing was
  left to do; threads of the process are woken now, 4 µs. 200 boxes out of blosc chunks: 10 % less processor time, and
  1.6 to 2.3 × as fast on a busy machine."""


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
    return out + ["| " + " | ".join(line) + " |" for line in rows if line] + PROFILE.split("\n")
