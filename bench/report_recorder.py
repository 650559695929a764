"""The section of the recorder: what bench/peer_recorder.py measured against the bars.

A ratio is taken within a round, in which everybody had a turn, and the median of the rounds is shown.
"""
import statistics

from report_text import show_factor, show_ns, verdict

NS, CPU = "ns_per_item", "cpu_ns_per_item"

INTRODUCTION = (
    "Everybody records the same rows, which lie in memory before the clock starts, each in a process of its own; nobody "
    "syncs, and the page cache takes it all. A time is from before the file is made to after it is closed. kUPS runs "
    "with its views not compiled where it can (1.0.8), GSD writes a chunk a leaf and ends the frame. write() is a call a "
    "row, of the same bytes, to one file. libzstd alone compresses the same chunks, shuffled before, at level 1, on "
    "one processor less than there are: the one that logs is taken. What a kill leaves is measured by the tests, "
    "not here.")


def is_cell(case):
    return case.startswith("recorder/") and case.count("/") == 3


class Cells:
    def __init__(self, rounds):
        self.found = {}
        for number, cases in rounds.items():
            for case, lines in cases.items():
                if is_cell(case):
                    self.found.setdefault(case[len("recorder/"):], {})[number] = lines[-1]

    def median(self, case, member=NS):
        lines = [line[member] for line in self.found.get(case, {}).values() if member in line]
        return statistics.median(lines) if lines else None

    def most(self, case, member):
        lines = [line[member] for line in self.found.get(case, {}).values() if member in line]
        return max(lines) if lines else None

    def ratio(self, ours, peer, member=NS):
        """Median over the rounds of the peer's ÷ ours."""
        mine, theirs = self.found.get(ours, {}), self.found.get(peer, {})
        both = [theirs[n][member] / mine[n][member] for n in mine if n in theirs]
        return statistics.median(both) if both else None

    def threads(self):
        """Of libzstd on the processors that are left, by the name of its cell."""
        names = sorted(int(case.rpartition("-")[2]) for case in self.found if "/libzstd-" in case)
        return names[-2] if len(names) > 1 else (names[-1] if names else 1)


class Rows:
    def __init__(self, cells):
        self.cells = cells
        self.out = []

    def rate(self, case):
        """"1,234 MB/s", or a rate of rows where a row is small."""
        ns, size = self.cells.median(case), self.cells.median(case, "bytes_per_item")
        if not ns:
            return "–"
        return f"{size * 1e3 / ns:,.0f} MB/s" if size > 1000 else f"{1e9 / ns:,.0f} rows/s"

    def at_least(self, work, ours, peer, least, what):
        found = self.cells.ratio(ours, peer)
        bar = f"≥ {least:g} × {what}"
        if found is None:
            self.out.append((work, bar, "not measured", "", ""))
            return
        self.out.append((work, bar, f"{show_factor(found)} ×", verdict(found >= least),
                         f"{self.rate(ours)}; {self.rate(peer)}"))

    def calls(self, work, case, most50, most99, peers):
        """Both quantiles of a call; the bar on the worst round for the second would be noise, so the median."""
        p50, p99 = self.cells.median(case, "p50_ns"), self.cells.median(case, "p99_ns")
        bar = f"p50 ≤ {show_ns(most50)}, p99 ≤ {show_ns(most99)}" if most50 else f"p99 ≤ {show_ns(most99)}"
        if p50 is None:
            self.out.append((work, bar, "not measured", "", ""))
            return
        detail = "; ".join(f"{name} {show_ns(self.cells.median(peer, 'p50_ns'))}, {show_ns(self.cells.median(peer, 'p99_ns'))}"
                           for name, peer in peers if self.cells.median(peer, "p50_ns"))
        self.out.append((work, bar, f"{show_ns(p50)}, {show_ns(p99)}",
                         verdict((not most50 or p50 <= most50) and p99 <= most99), detail))

    def at_most(self, work, value, most, text, detail, unit):
        if value is None:
            self.out.append((work, text, "not measured", "", ""))
            return
        self.out.append((work, text, unit(value), verdict(value <= most), detail))


def table(cells):
    rows = Rows(cells)
    peers = (("GSD", "row12k/raw-{}/gsd"), ("kUPS 1.0.8", "row12k/raw-{}/kups-1.0.8"))
    for mode, text in (("fast", "one after another"), ("paced", "one each 100 µs")):
        rows.calls(f"log of a 12 kB row, copied; 10 000 rows, {text}", f"row12k/raw-{mode}/ours", 3e3, 50e3,
                   [(name, case.format(mode)) for name, case in peers])
    rows.at_least("the same, open to close, uncompressed", "row12k/raw-fast/ours", "row12k/raw-fast/write", 0.8, "write()")
    rows.at_least("", "row12k/raw-fast/ours", "row12k/raw-fast/kups-1.0.8", 2.5, "kUPS 1.0.8, uncompressed")
    alone = f"row12k/zstd-fast/libzstd-{cells.threads()}"
    rows.at_least("the same, shuffle and zstd:1", "row12k/zstd-fast/ours", alone, 0.9, "libzstd alone")
    rows.at_least("", "row12k/zstd-fast/ours", "row12k/zstd-fast/kups-1.0.8", 4, "kUPS 1.0.8, default")
    ours, theirs = cells.most("row12k/zstd-fast/ours", "file_bytes"), cells.median(alone, "file_bytes")
    share = None
    if ours and theirs:
        share = (ours / cells.median("row12k/zstd-fast/ours", "items")) / (theirs / cells.median(alone, "items"))
    payload = 12000 * (cells.median("row12k/zstd-fast/ours", "items") or 1)
    kups = cells.median("row12k/zstd-fast/kups-1.0.8", "file_bytes")
    rows.at_most("", share, 1.05, "file ≤ the codec's own ratio + 5 %",
                 f"{(ours or 0) / payload:.2f} of the payload; kUPS 1.0.8 {(kups or 0) / payload:.2f}", lambda v: f"{v:.3f} ×")
    md = "12 leaves, 30.8 kB rows (argon MD)"
    rows.at_least(md, "md/raw-fast/ours", "md/raw-fast/kups-1.0.0", 20, "kUPS 1.0.0, uncompressed both")
    rows.at_least("", "md/zstd-fast/ours", "md/zstd-fast/kups-1.0.8", 3, "kUPS 1.0.8, default both")
    rows.at_least("", "md/raw-fast/ours", "md/raw-fast/kups-1.0.8", 3, "kUPS 1.0.8, uncompressed both")
    rows.at_least("", "md/raw-fast/ours", "md/raw-fast/write", 0.8, "write()")
    rows.at_least("20 scalar leaves, 100 000 rows", "scalars/zstd-fast/ours", "scalars/raw-fast/kups-1.0.8", 8,
                  "kUPS 1.0.8, uncompressed")
    rows.at_least("", "scalars/zstd-fast/ours", "scalars/zstd-fast/kups-1.0.8", 20, "kUPS 1.0.8, default")
    rows.at_least("", "scalars/zstd-fast/ours", "scalars/raw-fast/gsd", 10, "GSD")
    size, count = cells.most("scalars/zstd-fast/ours", "file_bytes"), cells.median("scalars/zstd-fast/ours", "items")
    kups = cells.median("scalars/zstd-fast/kups-1.0.8", "file_bytes")
    rows.at_most("", size and size / (160 * count), 1.3, "file ≤ 1.3 × payload",
                 f"kUPS 1.0.8 {(kups or 0) / (160 * (count or 1)):.3g} ×", lambda v: f"{v:.2f} ×")
    rows.at_least("200 rows of 2.4 MB", "large/raw-fast/ours", "large/raw-fast/write", 0.9, "write()")
    rows.calls("disk of 10 MB/s, cap 64 MiB, oldest dropped", "row12k/throttled/ours", 0, 50e3, [])
    held, cap = cells.most("row12k/throttled/ours", "held_bytes"), cells.median("row12k/throttled/ours", "cap_bytes")
    most = (cap or 0) * 1.05 + 12000
    rows.at_most("", held, most, "memory ≤ cap + 5 % + a frame", f"at most {most / (1 << 20):.1f} MiB",
                 lambda v: f"{v / (1 << 20):.1f} MiB")
    rows.at_most("a frame of 12 kB at random, warm, uncompressed", cells.median("row12k/raw-random/ours"), 20e3, "≤ 20 µs",
                 f"kUPS 1.0.8 {show_ns(cells.median('row12k/raw-random/kups-1.0.8'))}", show_ns)
    rows.at_least("the same, compressed", "row12k/zstd-random/ours", "row12k/zstd-random/kups-1.0.8", 20, "kUPS 1.0.8")
    rows.at_least("full read, uncompressed", "row12k/raw-all/ours", "row12k/raw-all/h5py", 0.8, "h5py in one call")
    rows.at_least("full read, compressed", "row12k/zstd-all/ours", "row12k/zstd-all/h5py", 0.8, "h5py in one call")
    return rows.out


def section(run, rounds):
    """Lines of the page; none where no cell was measured."""
    cells = Cells(rounds)
    if not cells.found:
        return []
    out = ["", "## Recorder", "", INTRODUCTION, ""]
    out += [f"- {name}: {value}" for name, value in run.items()]
    out += ["", "| work | bar | measured | | |", "|---|---|---|---|---|"]
    return out + ["| " + " | ".join(line) + " |" for line in table(cells)]


def text(rounds):
    """The same for a terminal."""
    cells = Cells(rounds)
    out, last = [], ""
    for work, wanted, found, ok, detail in table(cells) if cells.found else []:
        last = work or last
        out.append(f"{last}: {found} (bar {wanted}) {ok.replace('*', '')}" + (f"\n    {detail}" if detail else ""))
    return out
