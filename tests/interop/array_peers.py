"""The programs that arrays are exchanged with: zarr-python, TensorStore, zarrs (below zarr-python, and its own
driver where there is a cargo), and ours.

Each has create(path, case, elements) and read(path, case).
"""
import json
import pathlib
import subprocess

import numpy as np
import tensorstore
import zarr
from zarr.core.array import Array, AsyncArray
from zarr.core.metadata import ArrayV3Metadata
from zarr.core.sync import sync
from zarr.storage import LocalStore
from zarr.storage._common import StorePath

import array_cases

zarr.config.set({"array.rectilinear_chunks": True, "threading.max_workers": 2})


class ZarrPython:
    """zarr-python; the metadata is spelled as it spells it."""
    name = "zarr-python"
    pipeline = {"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}

    def create(self, path, case, elements):
        with zarr.config.set(self.pipeline):
            metadata = ArrayV3Metadata.from_dict(case.document())
            place = StorePath(sync(LocalStore.open(path.parent)), path.name)
            array = AsyncArray(metadata=metadata, store_path=place)
            sync(array._save_metadata(metadata, ensure_parents=False))
            Array(array)[...] = elements

    def read(self, path, case):
        with zarr.config.set(self.pipeline):
            return np.asarray(zarr.open_array(path, mode="r")[...])


class Fused(ZarrPython):
    name = "zarr-python, fused"
    pipeline = {"codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline"}


class ZarrsPython(ZarrPython):
    name = "zarrs-python"
    pipeline = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": True}


class TensorStore:
    name = "tensorstore"

    @staticmethod
    def open(path, **more):
        return tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)},
                                 "context": {"file_io_sync": False}, **more}).result()

    def create(self, path, case, elements):
        document = case.document()
        for member in ("zarr_format", "node_type"):
            del document[member]
        self.open(path, metadata=document, create=True).write(elements).result()

    def read(self, path, case):
        return self.open(path, open=True).read().result()


class Program:
    """A program that takes and gives elements on its standard streams, as zarr_tool does."""

    def run(self, *args, data=None):
        done = subprocess.run([self.path, *map(str, args)], input=data, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip()[-400:])
        return done.stdout


class Ours(Program):
    name = "varvite"

    def __init__(self, path):
        self.path = path

    def create(self, path, case, elements):
        document, dtype = case.document(), case.dtype
        inner, codecs = [], case.codecs
        if case.short_sharding():
            # The shape of the inner chunks stands beside the codecs, not in a codec.
            settings = codecs[0]["configuration"]
            inner = ["inner=" + numbers(settings["chunk_shape"])]
            codecs = settings["codecs"]
        names = document.get("dimension_names")
        self.run("write", path.parent, path.name, dtype.ours, numbers(case.shape), numbers(case.chunks),
                 json.dumps(codecs), dtype.pack(np.array(dtype.fill(case.fill))).hex() or "-",
                 "keys=" + case.keys, *dtype.options, *inner, *(["split"] if case.split else []),
                 *(["names=" + ",".join(names)] if names else []), "attributes={\"of\": \"the matrix\"}",
                 data=dtype.stream(elements))

    def update(self, path, case, start, elements):
        self.run("update", path.parent, path.name, numbers(start), numbers(elements.shape),
                 data=case.dtype.stream(elements))

    def read(self, path, case):
        return case.dtype.unstream(self.run("read", path.parent, path.name), case.shape)


class Zarrs(Program):
    """zarrs itself, by its driver in tests/peers/zarrs-peer."""
    name = "zarrs"

    def __init__(self, path):
        self.path = path

    def create(self, path, case, elements):
        path.mkdir(parents=True)
        (path / "zarr.json").write_text(json.dumps(case.document()))
        self.run("write", path.parent, path.name, data=case.dtype.stream(elements))

    def read(self, path, case):
        return case.dtype.unstream(self.run("read", path.parent, path.name), case.shape)


def numbers(values):
    return ",".join(map(str, values)) or "-"


def of_python():
    return [ZarrPython(), Fused(), ZarrsPython(), TensorStore()]
