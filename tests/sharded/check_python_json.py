#!/usr/bin/env python3
"""Random documents, good and damaged: the library writes them anew just as Python's json does, and refuses
those that Python refuses.
usage: check_python_json.py TEST_PYTHON_JSON"""
import json
import random
import struct
import subprocess
import sys

rnd = random.Random(36)
POINTS = [ord(c) for c in 'abc"\\/\b\f\n\r\t \x7f\x1f'] + [0, 0xE9, 0x20AC, 0xFFFF, 0x1F600, 0x10FFFF]


def number():
    kind = rnd.randrange(6)
    if kind == 0:
        return str(rnd.randrange(-10, 10))
    if kind == 1:
        return str(rnd.randrange(-10**40, 10**40))
    if kind == 2:  # any double there is
        value = struct.unpack("<d", struct.pack("<Q", rnd.getrandbits(64)))[0]
        return json.dumps(value)
    if kind == 3:  # powers of two are where the nearest decimal may not be the shortest
        return "%.*e" % (rnd.randrange(17), 2.0 ** rnd.randrange(-1074, 1024))
    if kind == 4:
        return f"{rnd.randrange(10**rnd.randrange(1, 25))}.{rnd.randrange(10**9)}"
    return f"{rnd.choice(['-', ''])}{rnd.randrange(10)}{rnd.choice('eE')}{rnd.choice(['', '+', '-'])}{rnd.randrange(30)}"


def string():
    out = '"'
    for _ in range(rnd.randrange(6)):
        point = rnd.choice(POINTS)
        way = rnd.randrange(3)
        if way == 0:
            out += json.dumps(chr(point))[1:-1]
        elif way == 1:
            out += "\\u%04X" % rnd.choice([point & 0xFFFF, 0xD83D, 0xDE00])
        else:
            out += json.dumps(chr(point), ensure_ascii=False)[1:-1]
    return out + '"'


def value(depth):
    blank = rnd.choice(["", "", " ", "\n\t"])
    kind = rnd.randrange(8 if depth else 5)
    if kind == 0:
        text = rnd.choice(["null", "true", "false", "NaN", "Infinity", "-Infinity"])
    elif kind < 3:
        text = number()
    elif kind < 5:
        text = string()
    elif kind == 5:
        text = "[" + blank + ",".join(value(depth - 1) for _ in range(rnd.randrange(4))) + "]"
    else:
        names = [rnd.choice(['"a"', '"\\u0061"', '"b"', string()]) for _ in range(rnd.randrange(5))]
        text = "{" + blank + ",".join(f"{name}{blank}:{value(depth - 1)}" for name in names) + "}"
    return blank + text + blank


def damaged(text):
    at = rnd.randrange(len(text) + 1)
    return text[:at] + rnd.choice(["", "", ",", '"', "]", "}", "\\", "0", ".", "-", "x", "\x01"]) + text[at + rnd.randrange(2):]


documents = []
for i in range(6000):
    text = value(4)
    documents.append((rnd.choice([0, 2]), damaged(text) if i % 3 == 0 else text))
work = b"".join(b"%d %d\n%s" % (indent, len(text.encode()), text.encode()) for indent, text in documents)
got = subprocess.run([sys.argv[1], "rewrite"], input=work, capture_output=True, check=True).stdout

at = 0
refused = 0
for indent, text in documents:
    end = got.index(b"\n", at)
    length = int(got[at:end])
    at = end + 1
    try:
        right = json.dumps(json.loads(text), indent=indent or None).encode()
    except ValueError:
        right = None
    answer = None if length < 0 else got[at:at + length]
    at += max(length, 0)
    refused += answer is None
    if answer != right:
        sys.exit(f"document {text!r}\nwas written {answer!r}\nPython writes {right!r}")
assert at == len(got) and 500 < refused < 3000, refused
