"""Writes a netCDF-3 file by hand: python3 make_netcdf.py FILE STEPS [ROWS COLUMNS].

One variable v (t, y, x) of float32 that compresses badly, coordinates t and y, attributes.
"""
import random, struct, sys

NC_DIMENSION, NC_VARIABLE, NC_ATTRIBUTE = 10, 11, 12
NC_CHAR, NC_FLOAT, NC_DOUBLE = 2, 5, 6


def text(s):
    b = s.encode()
    return struct.pack(">I", len(b)) + b + b"\0" * (-len(b) % 4)


def attributes(pairs):
    out = struct.pack(">II", NC_ATTRIBUTE, len(pairs)) if pairs else b"\0" * 8
    for name, value in pairs:
        if isinstance(value, str):
            out += text(name) + struct.pack(">I", NC_CHAR) + text(value)
        else:
            out += text(name) + struct.pack(">IIf", NC_FLOAT, 1, value)
    return out


def main(path, steps, rows=100, columns=200):
    dims = [("t", steps), ("y", rows), ("x", columns)]
    variables = [
        ("t", [0], NC_DOUBLE, 8 * steps, [("units", "days since 1970-01-01")]),
        ("y", [1], NC_DOUBLE, 8 * rows, [("units", "degrees_north")]),
        ("v", [0, 1, 2], NC_FLOAT, 4 * steps * rows * columns,
         [("units", "K"), ("_FillValue", -99.0)]),
    ]

    def header(begins):
        out = b"CDF\x02" + struct.pack(">I", 0)
        out += struct.pack(">II", NC_DIMENSION, len(dims))
        for name, length in dims:
            out += text(name) + struct.pack(">I", length)
        out += attributes([("title", "made for a test")])
        out += struct.pack(">II", NC_VARIABLE, len(variables))
        for (name, ids, kind, size, attrs), begin in zip(variables, begins):
            out += text(name) + struct.pack(">I", len(ids))
            out += b"".join(struct.pack(">I", i) for i in ids) + attributes(attrs)
            out += struct.pack(">IIQ", kind, size, begin)
        return out

    at = len(header([0] * len(variables)))
    begins = []
    for variable in variables:
        begins.append(at)
        at += variable[3]
    noise = random.Random(3).randbytes(1 << 16)
    step = bytearray()
    for i in range(rows * columns):
        step += struct.pack(">f", 250 + noise[i % len(noise)] / 8 + i % columns)
    with open(path, "wb") as f:
        f.write(header(begins))
        f.write(struct.pack(f">{steps}d", *range(steps)))
        f.write(struct.pack(f">{rows}d", *range(rows)))
        for k in range(steps):
            shift = 4 * (k % columns)
            f.write(step[shift:] + step[:shift])


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
