#!/usr/bin/env python3
"""The fixtures of numcodecs: what its codecs made of many arrays over the years, read by us.

usage: array_fixtures.py ZARR_TOOL FOLDER

The source package of numcodecs ships fixture/CODEC/array.NN.npy and, for each setting, config.json and
encoded.NN.dat. Each becomes an array of Zarr version 2 with one chunk. FOLDER keeps the package between runs;
exit status 77 where it cannot be fetched. CANNOT is what we refuse; what we do not any more fails.
"""
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numcodecs
import numpy as np

VERSION = "0.17.1"
COMPRESSORS = ("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd")
CANNOT = ("delta/bool",)  # differences of booleans: refused by name
FILTERS = ("delta", "fixedscaleoffset", "packbits", "shuffle")


def fixtures(folder):
    """The unpacked folder of fixtures."""
    package = folder / f"numcodecs-{VERSION}.tar.gz"
    if not package.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary",
                               "numcodecs", "-d", folder, f"numcodecs=={VERSION}"], check=False)
        if done.returncode or not package.exists():
            print("array_fixtures: skipped: the source package of numcodecs cannot be fetched")
            sys.exit(77)
    out = pathlib.Path(tempfile.mkdtemp(prefix="fixtures-"))
    with tarfile.open(package) as archive:
        archive.extractall(out, members=[member for member in archive if "/fixture/" in member.name],
                           filter="data")
    return out / f"numcodecs-{VERSION}" / "fixture"


def metadata(array, compressor, filters):
    columns_first = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
    return {"zarr_format": 2, "shape": list(array.shape), "chunks": list(array.shape), "dtype": array.dtype.str,
            "fill_value": None, "order": "F" if columns_first else "C", "compressor": compressor,
            "filters": filters}


def read(tool, folder, document, encoded):
    """What we read of a chunk; the message when we refuse it."""
    place = folder / "a"
    place.mkdir(exist_ok=True)
    (place / ".zarray").write_text(json.dumps(document))
    (place / ".".join("0" * len(document["shape"]))).write_bytes(encoded)
    done = subprocess.run([tool, "read", folder, "a"], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else done.stderr.decode(errors="replace").strip()


def main():
    tool, passed, failures = sys.argv[1], 0, []
    here = fixtures(pathlib.Path(sys.argv[2]))
    for codec in COMPRESSORS + FILTERS:
        for setting in sorted(path.parent for path in (here / codec).rglob("config.json")):
            config = json.loads((setting / "config.json").read_text())
            for path in sorted(setting.parent.glob("array.*.npy")):
                array = np.load(path, allow_pickle=True)
                encoded = setting / path.name.replace("array", "encoded").replace(".npy", ".dat")
                if array.dtype == object or not encoded.exists():
                    continue
                document = metadata(array, config if codec in COMPRESSORS else None,
                                    [config] if codec in FILTERS else None)
                with tempfile.TemporaryDirectory() as folder:
                    found = read(tool, pathlib.Path(folder), document, encoded.read_bytes())
                if codec == "fixedscaleoffset":  # loses digits: what numcodecs gives back
                    lossy = numcodecs.get_codec(dict(config)).decode(encoded.read_bytes())
                    array = lossy.reshape(array.shape, order=document["order"])
                wanted = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).tobytes()
                known = f"{codec}/{array.dtype}" in CANNOT
                if (found == wanted) != known:
                    passed += 1
                else:
                    failures.append(f"{encoded.relative_to(here)} {array.dtype} {array.shape} {config}: "
                                    f"{found if isinstance(found, str) else 'other elements'}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"fixtures of numcodecs {VERSION}: {passed} passed, {len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
