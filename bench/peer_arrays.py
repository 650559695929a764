"""Arrays beside zarr-python, TensorStore and zarrs: every cell by everybody in turn, one round.

usage: peer_arrays.py [PREFIX]                                     a round; cells that begin so
       peer_arrays.py cell WHO CODEC OP DIR SIDE CHUNK INNER       one cell of a Python peer

A cell is SIZE/CODEC/OP: the same cube of uint16 (bench_arrays.c makes it), the same metadata, two
threads for everybody, nothing flushed to the disk, page cache warm. Each runs in a process of its own, in
an order drawn anew for each cell, since the first one may find memory in pieces that the kernel has to
join for it; starting a process and opening the array are not timed. All read the array that we wrote, and write the same.

  write    all of it in one call
  read     all of it in one call
  boxes    200 boxes of 32 a side, one after another
  chunks1  chunk by chunk (shard by shard), one call at a time; chunks8: eight in flight
  inner1   inner chunk by inner chunk of shards; inner8: eight in flight

BENCH_QUICK=1: a cube of 32 MiB. BENCH_LARGE=1: 2 GiB beside the 256 MiB.
"""
import asyncio
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

THREADS = 2
BOX, BOXES = 32, 200
CODECS = {"raw": (64, 0), "zstd": (64, 0), "blosc": (64, 0), "sharded": (128, 32)}
PEERS = ("tensorstore", "zarr", "zarr-fused", "zarrs-python", "zarrs")
HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
OURS = BUILD / "bin" / "bench_arrays"


def ops(codec):
    return ["write", "read", "boxes", "chunks1", "chunks8"] + ["inner1", "inner8"] * (codec == "sharded")


# ---- metadata: one document for all who write ----------------------------------------------------

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
ZSTD = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
BLOSC = {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle",
                                            "typesize": 2, "blocksize": 0}}


def metadata(codec, side):
    chunk, inner = CODECS[codec]
    codecs = {"raw": [LITTLE], "zstd": [LITTLE, ZSTD], "blosc": [LITTLE, BLOSC],
              "sharded": [{"name": "sharding_indexed", "configuration": {
                  "chunk_shape": [inner] * 3, "codecs": [LITTLE, ZSTD],
                  "index_codecs": [LITTLE, {"name": "crc32c"}], "index_location": "end"}}]}[codec]
    return {"zarr_format": 3, "node_type": "array", "shape": [side] * 3, "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [chunk] * 3}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0, "codecs": codecs, "attributes": {}}


# ---- one cell of a Python peer -------------------------------------------------------------------

def numbers(state):
    """SplitMix64, as bench.c has it."""
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def peak_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Zarr:
    """zarr-python, with one of three pipelines."""
    PATHS = {"zarr": "zarr.core.codec_pipeline.BatchedCodecPipeline",
             "zarr-fused": "zarr.core.codec_pipeline.FusedCodecPipeline",
             "zarrs-python": "zarrs.ZarrsCodecPipeline"}

    def __init__(self, who, path):
        import zarr
        settings = {"codec_pipeline.path": self.PATHS[who], "threading.max_workers": THREADS,
                    "codec_pipeline.max_workers": THREADS}
        if who == "zarrs-python":
            settings["codec_pipeline.strict"] = True
        zarr.config.set(settings)
        self.array = zarr.open_array(path, mode="r+")

    def write(self, data):
        self.array[...] = data

    def read(self, *box):
        return self.array[box]

    def read_many(self, boxes, flying):
        from zarr.core.sync import sync

        async def all_of_them():
            turns = asyncio.Semaphore(flying)

            async def one(box):
                async with turns:
                    return int((await self.array._async_array.getitem(box))[-1, -1, -1])
            return sum(await asyncio.gather(*(one(box) for box in boxes)))
        return sync(all_of_them())


class TensorStore:
    def __init__(self, _who, path):
        import tensorstore
        self.array = tensorstore.open({
            "driver": "zarr3", "kvstore": {"driver": "file", "path": path},
            "context": {"data_copy_concurrency": {"limit": THREADS},
                        "file_io_concurrency": {"limit": THREADS}, "file_io_sync": False}},
            open=True).result()

    def write(self, data):
        self.array.write(data).result()

    def read(self, *box):
        return self.array[box].read().result()

    def read_many(self, boxes, flying):
        futures, check = [], 0
        for box in boxes:
            if len(futures) == flying:
                check += int(futures.pop(0).result()[-1, -1, -1])
            futures.append(self.array[box].read())
        return check + sum(int(future.result()[-1, -1, -1]) for future in futures)


def box_at(start, side):
    return tuple(slice(first, first + side) for first in start)


def cell(who, codec, op, directory, side, chunk, inner):
    import numpy
    peer = (TensorStore if who == "tensorstore" else Zarr)(who, f"{directory}/x")
    everything = box_at((0, 0, 0), side)
    items, bytes_per_item, check = 1, side ** 3 * 2, 0
    data = None
    if op == "write":
        data = numpy.fromfile(os.environ["BENCH_DATA"], dtype="<u2").reshape((side,) * 3)
    begun, cpu = time.perf_counter(), time.process_time()
    if op == "write":
        peer.write(data)
    elif op == "read":
        data = peer.read(*everything)
    elif op == "boxes":
        items, bytes_per_item, draw = BOXES, BOX ** 3 * 2, numbers(2)
        for _ in range(BOXES):
            start = [next(draw) % (side - BOX + 1) for _ in range(3)]
            check += int(peer.read(*box_at(start, BOX))[-1, -1, -1])
    else:
        unit = inner if op.startswith("inner") else chunk
        along = range(0, side, unit)
        boxes = [box_at((z, y, x), unit) for z in along for y in along for x in along]
        items, bytes_per_item = len(boxes), unit ** 3 * 2
        if op.endswith("1"):
            for box in boxes:
                check += int(peer.read(*box)[-1, -1, -1])
        else:
            check = peer.read_many(boxes, 8)
    passed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"case": f"arrays/{side ** 3 * 2 >> 20}/{codec}/{op}/{who}", "items": items,
                      "ns_per_item": passed * 1e9 / items, "cpu_ns_per_item": cpu * 1e9 / items,
                      "bytes_per_item": bytes_per_item, "peak_rss": peak_bytes(), "check": check}))
    if op == "read":
        want = numpy.fromfile(os.environ["BENCH_DATA"], dtype="<u2").reshape((side,) * 3)
        if not numpy.array_equal(data, want):
            sys.exit(f"peer_arrays: {who} did not read what was written")


# ---- a round -------------------------------------------------------------------------------------

def build_zarrs():
    """The driver of zarrs, built where there is a cargo; None with the reason otherwise."""
    if not shutil.which("cargo"):
        print("peer_arrays: skipped zarrs: no cargo", file=sys.stderr)
        return None
    done = subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path",
                           HERE / "peer_zarrs" / "Cargo.toml", "--target-dir", BUILD / "peer_zarrs"],
                          check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"peer_arrays: skipped zarrs: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return BUILD / "peer_zarrs" / "release" / "peer_zarrs"


class Round:
    def __init__(self, directory, side, zarrs):
        self.directory, self.side, self.zarrs = directory, side, zarrs
        self.data = directory / f"cube-{side}.u16"
        self.gone = directory / "gone"
        self.environment = dict(os.environ, BENCH_DATA=str(self.data), RAYON_NUM_THREADS=str(THREADS),
                                PYTHONWARNINGS="ignore")

    def run(self, command):
        """The line that a cell printed; None, with the reason on stderr, when it failed."""
        done = subprocess.run([str(word) for word in command], env=self.environment, check=False,
                              capture_output=True, text=True, timeout=600)
        if done.returncode:
            words = " ".join(str(word) for word in command[1:])
            print(f"peer_arrays: {words}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        return json.loads(done.stdout)

    def discard(self, place):
        """Put a directory away, to be removed at the end: ext4 looks for inodes that were not freed lately,
        so that who writes after a removal would pay for it."""
        if place.exists():
            self.gone.mkdir(exist_ok=True)
            place.rename(self.gone / str(len(list(self.gone.iterdir()))))

    def ours(self, store, codec, op):
        if op == "write":
            self.discard(self.directory / f"{store}-{codec}")
        return self.run([OURS, store, codec, op, self.directory, self.side])

    def theirs(self, who, codec, op):
        chunk, inner = CODECS[codec]
        place = self.directory / f"directory-{codec}"
        if op == "write":
            place = self.directory / "theirs"
            self.discard(place)
            (place / "x").mkdir(parents=True)
            (place / "x" / "zarr.json").write_text(json.dumps(metadata(codec, self.side)))
        rest = [codec, op, place, self.side, chunk, inner]
        line = self.run([self.zarrs, *rest] if who == "zarrs" else
                        [sys.executable, __file__, "cell", who, *rest])
        if op == "write" and line and not (self.directory / f"directory-{codec}" / "x").exists():
            place.rename(self.directory / f"directory-{codec}")  # for the readers, as we could not
        elif op == "write":
            self.discard(place)
        return line

    def cell(self, codec, op):
        lines = {}
        contenders = [who for who in ("directory", "hamt", *PEERS) if who != "zarrs" or self.zarrs]
        for who in random.sample(contenders, len(contenders)):
            if op == "write":
                os.sync()  # the last one's dirty pages are not this one's work
            run = self.ours if who in ("directory", "hamt") else self.theirs
            lines[who] = run(who, codec, op)
        checks = {line["check"] for who, line in lines.items()
                  if line and not (op == "read" and who == "zarrs")}
        if len(checks) > 1:
            sys.exit(f"peer_arrays: {codec}/{op}: they do not read the same: {lines}")


def forget(directory):
    """Take the files out of the page cache."""
    os.sync()
    for path in directory.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def one_of_million(directory):
    place = directory / "many"
    if not place.exists():
        subprocess.run([OURS, "many", place], check=True)
    forget(place)
    subprocess.run([OURS, "one", place], check=True)


def main():
    prefix = sys.argv[1] if len(sys.argv) > 1 else ""
    directory = pathlib.Path(os.environ.get("BENCH_DIR", BUILD / "tmp")) / "arrays"
    directory.mkdir(parents=True, exist_ok=True)
    quick = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
    sides = [256 if quick else 512]
    if os.environ.get("BENCH_LARGE", "0") not in ("", "0"):
        sides.append(1024)
    zarrs = build_zarrs()
    for side in sides:
        this = Round(directory, side, zarrs)
        if not this.data.exists():
            subprocess.run([OURS, "data", directory, str(side)], check=True)
        for codec in CODECS:
            for op in ops(codec):
                if f"{side ** 3 * 2 >> 20}/{codec}/{op}".startswith(prefix):
                    this.cell(codec, op)
            if not prefix:
                this.discard(directory / f"directory-{codec}")
                this.discard(directory / f"hamt-{codec}")
        shutil.rmtree(this.gone, ignore_errors=True)
    if "one_of_million".startswith(prefix):
        one_of_million(directory)


if __name__ == "__main__":
    if sys.argv[1:2] == ["cell"]:
        cell(*sys.argv[2:6], *map(int, sys.argv[6:]))
    else:
        main()
