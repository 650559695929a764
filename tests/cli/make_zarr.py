"""Writes a small Zarr v3 directory by hand: python3 make_zarr.py DIR.

Arrays: x (4, 3, 5) float32 over time, lat, lon in ragged chunks; time and lat as coordinates;
scalar; flags (bool); big (uint64); odd (float64 with NaN and infinities); z (complex64);
group/y (int16 over time); holes (int32, no chunk stored).
"""
import itertools, json, os, struct, sys

CODES = {"float32": "f", "float64": "d", "int64": "q", "int32": "i", "int16": "h",
         "uint64": "Q", "bool": "?", "complex64": "ff"}


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else json.dumps(text).encode())


def array(root, path, dtype, shape, chunks, values, dims=None, attrs=None, fill=0, store=True):
    meta = {
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": attrs or {},
    }
    if dims:
        meta["dimension_names"] = dims
    write(f"{root}/{path}/zarr.json", meta)
    if not store:
        return
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * shape[i + 1]
    for chunk in itertools.product(*(range(-(-n // c)) for n, c in zip(shape, chunks))):
        data = b""
        for inner in itertools.product(*(range(c) for c in chunks)):
            at = [k * c + i for k, c, i in zip(chunk, chunks, inner)]
            inside = all(a < n for a, n in zip(at, shape))
            value = values[sum(a * s for a, s in zip(at, strides))] if inside else fill
            if dtype == "complex64":
                value = value if inside else (0, 0)
                data += struct.pack("<ff", *value)
            else:
                data += struct.pack("<" + CODES[dtype], value)
        write("/".join([root, path, "c", *map(str, chunk)]), data)


def main(root):
    nan, inf = float("nan"), float("inf")
    write(f"{root}/zarr.json", {"zarr_format": 3, "node_type": "group",
                                "attributes": {"title": "a \"test\" set", "levels": [1, 2, 3]}})
    array(root, "x", "float32", [4, 3, 5], [2, 2, 3], [i + 0.5 for i in range(60)],
          ["time", "lat", "lon"], {"units": "degC", "valid": [-10, 100]})
    array(root, "time", "int64", [4], [4], [366, 1096, 1826, 2557], ["time"])
    array(root, "lat", "float64", [3], [2], [-89.5, 0.25, 89.5], ["lat"])
    array(root, "scalar", "int32", [], [], [42])
    array(root, "flags", "bool", [3], [3], [True, False, True], fill=False)
    array(root, "big", "uint64", [2], [2], [2**64 - 1, 2**53 + 1])
    array(root, "odd", "float64", [5], [5], [nan, inf, -inf, -0.0, 0.1], fill="NaN")
    array(root, "z", "complex64", [2], [2], [(1, -2), (0.5, nan)], fill=[0, 0])
    array(root, "holes", "int32", [3], [2], None, fill=-7, store=False)
    write(f"{root}/group/zarr.json",
          {"zarr_format": 3, "node_type": "group", "attributes": {}})
    array(root, "group/y", "int16", [4], [3], [10, 20, 30, 40], ["time"])


if __name__ == "__main__":
    main(sys.argv[1])
