"""Recording beside kUPS 1.0.0 and 1.0.8, GSD, h5py, write() and libzstd: every cell by everybody in turn, one round.

usage: peer_recorder.py [PREFIX]                             a round; cells that begin so ("md", "row12k/zstd")
       peer_recorder.py cell WHO CODEC MODE WORK DATA ROWS OUT   one cell of a Python peer

A cell is recorder/WORK/CODEC-MODE/WHO, in a process of its own. Everybody records the same rows, which lie in memory
before the clock starts; nobody syncs. A cell's time is from before the file is made to after it is closed, over its
rows; p50 and p99 are of the single call that logs.

  row12k   one leaf of 1000 × 3 float32, a random walk: 10 000 rows of 12 kB
  md       what kUPS logs of 256 argon atoms: 12 leaves, 30.8 kB, 5 000 rows (kUPS 1.0.0: 1 000)
  scalars  20 float64: 100 000 rows
  large    one leaf of 100 000 × 3 float64: 200 rows of 2.4 MB

  fast     row after row without a pause; paced: a row each 100 µs, as a simulation has them
  random   1 000 frames read at random, page cache warm; all: the whole file
  throttled  a disk of 10 MB/s (a sink that sleeps), a cap of 64 MiB, oldest rows dropped

BENCH_QUICK=1: a tenth of the rows.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
OURS = BUILD / "bin" / "bench_recording"
QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
PACE_NS = 100_000
READS = {"kups-1.0.8": 100, "kups-1.0.0": 300}

ATOMS = 256
WORKS = {
    "row12k": [("positions", "float32", (1000, 3))],
    "md": [("positions", "float64", (ATOMS, 3)), ("position_gradients", "float64", (ATOMS, 3)),
           ("momenta", "float64", (ATOMS, 3)), ("masses", "float64", (ATOMS,)), ("charges", "float64", (ATOMS,)),
           ("atomic_numbers", "int64", (ATOMS,)), ("labels", "int64", (ATOMS,)), ("system", "int64", (ATOMS,)),
           ("exclusion", "int64", (ATOMS,)), ("potential_energy", "float64", (1,)),
           ("kinetic_energy", "float64", (1,)), ("stress_tensor", "float64", (1, 3, 3))],
    "scalars": [(f"s{i:02}", "float64", ()) for i in range(20)],
    "large": [("positions", "float64", (100000, 3))],
}
ROWS = {"row12k": 10_000, "md": 5_000, "scalars": 100_000, "large": 200}
STORED = {"large": 20}  # rows of the data file, where they come again


def row_type(work):
    import numpy
    return numpy.dtype([(name, kind, shape) for name, kind, shape in WORKS[work]])


# ---- the data: what moves moves as atoms do, what is constant is ---------------------------------------

def make_data(work, rows, path):
    import numpy
    draw = numpy.random.default_rng(12)
    out = numpy.zeros(rows, row_type(work))
    steps = numpy.arange(rows)[:, None, None]
    if work == "row12k":
        walk = draw.normal(size=(rows, 1000, 3)).astype("f4") * numpy.float32(0.02)
        out["positions"] = draw.uniform(0, 40, (1000, 3)).astype("f4") + numpy.cumsum(walk, axis=0, dtype="f4")
    elif work == "md":
        phase, pace = draw.uniform(0, 6.28, (2, ATOMS, 3))
        angle = phase + 0.02 * (1 + pace) * steps
        out["positions"] = draw.uniform(0, 23, (ATOMS, 3)) + 0.3 * numpy.sin(angle)
        out["momenta"] = 20 * numpy.cos(angle)
        out["position_gradients"] = 0.03 * numpy.sin(angle) + draw.normal(size=(rows, ATOMS, 3)) * 1e-3
        out["masses"], out["atomic_numbers"], out["labels"] = 39.948, 18, 0
        out["exclusion"] = numpy.arange(ATOMS)
        out["potential_energy"][:, 0] = -11.5 + 0.1 * draw.normal(size=rows)
        out["kinetic_energy"][:, 0] = 4.6 - 0.1 * draw.normal(size=rows)
        out["stress_tensor"] = draw.normal(size=(rows, 1, 3, 3))
    elif work == "scalars":
        for i, (name, _, _) in enumerate(WORKS[work]):
            out[name] = i + numpy.cumsum(draw.normal(size=rows)) * 1e-3
    else:
        out["positions"] = draw.uniform(0, 100, (rows, 100000, 3))
    out.tofile(path)


# ---- one cell of a Python peer ----------------------------------------------------------------------

def rows_of(work, data, rows):
    """Dicts of arrays, made before the clock starts."""
    import numpy
    whole = numpy.memmap(data, row_type(work), "r")
    columns = [(name, numpy.array(whole[name])) for name, _, _ in WORKS[work]]
    there = len(whole)
    return [{name: numpy.asarray(column[i % there]) for name, column in columns} for i in range(rows)]


class Kups:
    """kUPS of either version; views are not compiled where that can be said, as for data on the host."""

    def __init__(self, codec, frames, out):
        import jax
        jax.config.update("jax_enable_x64", True)
        from kups.core import storage
        # 1.0.0 has no compression, and compiles its view, once, before the clock starts
        policy = {} if not hasattr(storage, "Compression") else {
            "compression": None if codec == "raw" else storage.Compression()}
        views = {"compile_views": False} if policy else {}
        config = {"step": storage.WriterGroupConfig(lambda state: state, storage.EveryNStep(1), **policy)}
        first = frames[0] if policy else jax.tree.map(jax.numpy.asarray, frames[0])
        self.writer = storage.HDF5StorageWriter(out, config, first, len(frames), **views)

    def open(self):
        self.writer.__enter__()

    def log(self, frame, step):
        self.writer.log(frame, step)

    def close(self):
        self.writer.__exit__(None, None, None)


class Gsd:
    def __init__(self, _codec, _frames, out):
        import gsd.fl
        self.fl, self.out = gsd.fl, out

    def open(self):
        self.file = self.fl.open(name=self.out, mode="w", application="bench", schema="bench", schema_version=[1, 0])

    def log(self, frame, _step):
        for name, value in frame.items():
            self.file.write_chunk(name, value if value.ndim else value.reshape(1))
        self.file.end_frame()

    def close(self):
        self.file.close()


def write_cell(who, codec, mode, work, data, rows, out):
    frames = rows_of(work, data, rows)
    peer = (Gsd if who == "gsd" else Kups)(codec, frames, out)
    pathlib.Path(out).unlink(missing_ok=True)
    times = [0] * rows
    clock = time.perf_counter_ns
    began, cpu = clock(), time.process_time_ns()
    peer.open()
    start = clock()
    for step, frame in enumerate(frames):
        if mode == "paced":
            while clock() < start + step * PACE_NS:
                pass
        before = clock()
        peer.log(frame, step)
        times[step] = clock() - before
    peer.close()
    passed, cpu = clock() - began, time.process_time_ns() - cpu
    times.sort()
    return {"items": rows, "ns_per_item": passed / rows, "cpu_ns_per_item": cpu / rows,
            "bytes_per_item": row_type(work).itemsize, "p50_ns": times[rows // 2],
            "p99_ns": times[rows - 1 - rows // 100], "max_ns": times[-1], "file_bytes": os.path.getsize(out),
            "disk_bytes": os.stat(out).st_blocks * 512}


def line_of_reading(count, passed, cpu, work):
    return {"items": count, "ns_per_item": passed / count, "cpu_ns_per_item": cpu / count,
            "bytes_per_item": row_type(work).itemsize}


def kups_random(who, work, path):
    import hdf5plugin  # noqa: F401
    from kups.core import storage
    draw = random.Random(7)
    with storage.HDF5StorageReader(path) as reader:
        group = reader.focus_group("group['step']")
        rows = len(group[...]["positions"])
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        for _ in range(READS[who]):
            group[draw.randrange(rows)]
        return line_of_reading(READS[who], time.perf_counter_ns() - began, time.process_time_ns() - cpu, work)


def h5py_all(work, path):
    """One call a leaf, into arrays that are there."""
    import h5py
    import hdf5plugin  # noqa: F401
    import numpy
    with h5py.File(path, "r") as file:
        sets = [file[f"group['step']/array['{name}']"] for name, _, _ in WORKS[work]]
        outs = [numpy.ones(s.shape, s.dtype) for s in sets]
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        for one, out in zip(sets, outs):
            one.read_direct(out)
        return line_of_reading(len(outs[0]), time.perf_counter_ns() - began, time.process_time_ns() - cpu, work)


def cell(who, codec, mode, work, data, rows, out):
    if mode == "random":
        line = kups_random(who, work, out)
    elif mode == "all":
        line = h5py_all(work, out)
    else:
        line = write_cell(who, codec, mode, work, data, rows, out)
    print(json.dumps({"case": f"recorder/{work}/{codec}-{mode}/{who}", **line}))


# ---- a round ---------------------------------------------------------------------------------------

def python_of(environment):
    """The interpreter of an environment; None, with the reason on stderr, where it cannot be made."""
    done = subprocess.run([HERE.parent / "scripts" / "venv", environment], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() or None


class Round:
    def __init__(self, directory, prefix):
        self.directory, self.prefix = directory, prefix
        environments = {"kups-1.0.0": "kups-1.0.0", "kups-1.0.8": "kups-1.0.8", "gsd": "h5py", "h5py": "h5py"}
        self.pythons = {who: python_of(name) for who, name in environments.items()}
        self.rows = {work: max(20, rows // (10 if QUICK else 1)) for work, rows in ROWS.items()}

    def data(self, work):
        path = self.directory / f"{work}.data"
        if not path.exists():
            make_data(work, min(self.rows[work], STORED.get(work, 1 << 60)), path)
        return path

    def run(self, command):
        done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True,
                              timeout=300, env=dict(os.environ, PYTHONWARNINGS="ignore"))
        if done.returncode:
            words = " ".join(str(word) for word in command[1:])
            print(f"peer_recorder: {words}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return
        sys.stdout.write(done.stdout)
        sys.stdout.flush()

    def peer(self, who, codec, mode, work, rows=None):
        out = self.directory / f"{who}-{work}-{codec}.{'gsd' if who == 'gsd' else 'h5'}"
        if mode == "all":
            out = self.directory / f"ours-{work}-{codec}.h5"  # h5py reads our file
        if self.pythons[who]:
            self.run([self.pythons[who], __file__, "cell", who, codec, mode, work, self.data(work),
                      rows or self.rows[work], out])

    def ours(self, codec, mode, work):
        out = self.directory / f"ours-{work}-{codec}.h5"
        if mode in ("random", "all"):
            self.run([OURS, f"read-{mode}", work, codec, "-", out])
        else:
            self.run([OURS, "record", work, codec, mode, self.data(work), self.rows[work], out])

    def write(self, mode, work):
        self.run([OURS, "write", work, "raw", mode, self.data(work), self.rows[work], self.directory / "raw"])

    def libzstd(self, threads, work):
        self.run([OURS, "zstd", work, "-", threads, self.data(work), self.rows[work],
                  self.directory / f"ours-{work}-zstd.h5"])

    def turns(self, name, *calls):
        """All of a comparison, in an order drawn anew, since one may leave the machine busy for the next."""
        if not name.startswith(self.prefix):
            return
        for call, *rest in random.sample(calls, len(calls)):
            os.sync()
            call(*rest)

    def all(self):
        self.turns("row12k/raw-fast", (self.ours, "raw", "fast", "row12k"), (self.write, "fast", "row12k"),
                   (self.peer, "kups-1.0.8", "raw", "fast", "row12k"), (self.peer, "gsd", "raw", "fast", "row12k"))
        self.turns("row12k/raw-paced", (self.ours, "raw", "paced", "row12k"),
                   (self.peer, "kups-1.0.8", "raw", "paced", "row12k"), (self.peer, "gsd", "raw", "paced", "row12k"))
        self.turns("row12k/zstd-fast", (self.ours, "zstd", "fast", "row12k"),
                   (self.peer, "kups-1.0.8", "zstd", "fast", "row12k"))
        # behind it, since they need its file
        self.turns("row12k/zstd-alone", *((self.libzstd, n, "row12k")
                                          for n in sorted({1, max(1, os.cpu_count() - 1), os.cpu_count()})))
        self.turns("row12k/zstd-random", (self.ours, "zstd", "random", "row12k"),
                   (self.peer, "kups-1.0.8", "zstd", "random", "row12k"))
        self.turns("row12k/raw-random", (self.ours, "raw", "random", "row12k"),
                   (self.peer, "kups-1.0.8", "raw", "random", "row12k"))
        for codec in ("raw", "zstd"):
            self.turns(f"row12k/{codec}-all", (self.ours, codec, "all", "row12k"),
                       (self.peer, "h5py", codec, "all", "row12k"))
        self.turns("md/fast", (self.ours, "raw", "fast", "md"), (self.ours, "zstd", "fast", "md"),
                   (self.write, "fast", "md"), (self.peer, "kups-1.0.8", "zstd", "fast", "md"),
                   (self.peer, "kups-1.0.8", "raw", "fast", "md"),
                   (self.peer, "kups-1.0.0", "raw", "fast", "md", self.rows["md"] // 5))
        self.turns("scalars/fast", (self.ours, "zstd", "fast", "scalars"), (self.ours, "raw", "fast", "scalars"),
                   (self.peer, "kups-1.0.8", "raw", "fast", "scalars"),
                   (self.peer, "kups-1.0.8", "zstd", "fast", "scalars"), (self.peer, "gsd", "raw", "fast", "scalars"))
        self.turns("large/raw-fast", (self.ours, "raw", "fast", "large"), (self.write, "fast", "large"))
        if "row12k/throttled".startswith(self.prefix):
            self.run([OURS, "throttled", "row12k", "-", "-", self.data("row12k"), 30_000 if not QUICK else 15_000])


def main():
    prefix = sys.argv[1] if len(sys.argv) > 1 else ""
    directory = pathlib.Path(os.environ.get("BENCH_DIR", BUILD / "tmp")) / "recorder"
    directory.mkdir(parents=True, exist_ok=True)
    Round(directory, prefix).all()
    for path in directory.glob("*.data" if not prefix else "raw"):
        path.unlink()
    if not prefix:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["cell"]:
        cell(*sys.argv[2:7], int(sys.argv[7]), sys.argv[8])
    else:
        main()
