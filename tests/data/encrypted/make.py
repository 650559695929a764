#!/usr/bin/env python3
"""Test vectors of docs/format/encrypted.md, made by an implementation of that page alone: hashlib and pycryptodome.

usage: make.py > vectors.json

Random bytes are a stream whose n-th byte is n mod 256, drawn in the order that the page gives.
"""
import base64
import hashlib
import json
import struct

from Crypto.Cipher import ChaCha20, ChaCha20_Poly1305

PREFIX = b"varvite encrypted v1: "
SEGMENT = 4096
TREE = bytes.fromhex("01711e20") + bytes(range(32))  # any CIDv1


def derive(key, label, data=b"", size=32):
    return hashlib.blake2b(label + b"\0" + data, key=key, digest_size=size).digest()


class Stream:
    def __init__(self):
        self.at = 0

    def draw(self, n):
        self.at += n
        return bytes(i % 256 for i in range(self.at - n, self.at))


def seal_bytes(key, nonce, ad, plain):
    """Ciphertext and tag; a nonce of 24 bytes means XChaCha20."""
    cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
    cipher.update(ad)
    return cipher.encrypt_and_digest(plain)


def name_token(keys, name):
    raw = name.encode()
    padded = raw + bytes(-len(raw) % 32)
    tag = derive(keys["tag"], PREFIX + b"name", raw, 16)
    body = ChaCha20.new(key=keys["name"], nonce=tag + bytes(8)).encrypt(padded)
    return base64.urlsafe_b64encode(tag + body).rstrip(b"=").decode()


def value_body(keys, name, salt, plain):
    step = SEGMENT
    key = derive(keys["value"], PREFIX + b"value", salt + struct.pack("<Q", len(plain)) + name.encode())
    count = max(1, -(-len(plain) // step))
    body = b""
    for i in range(count):
        last = i == count - 1
        nonce = struct.pack("<Q", i) + bytes([0, 0, 0, last])
        ad = struct.pack("<Q", i) + bytes([last]) + name.encode()
        cipher, tag = seal_bytes(key, nonce, ad, plain[i * step:(i + 1) * step])
        body += cipher + tag
    return body


def head(major, n):
    for size, code in ((0, None), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size == 0 and n < 24:
            return bytes([major << 5 | n])
        if size and n < 1 << 8 * size:
            return bytes([major << 5 | code]) + n.to_bytes(size, "big")


def cbor(x):
    """Enough of DAG-CBOR: a link is ('link', bytes of a CID)."""
    if isinstance(x, int):
        return head(0, x)
    if isinstance(x, bytes):
        return head(2, len(x)) + x
    if isinstance(x, str):
        return head(3, len(x.encode())) + x.encode()
    if isinstance(x, list):
        return head(4, len(x)) + b"".join(map(cbor, x))
    if isinstance(x, tuple):
        return b"\xd8\x2a" + cbor(b"\0" + x[1])
    items = sorted(x.items(), key=lambda kv: (len(kv[0]), kv[0]))
    return head(5, len(items)) + b"".join(cbor(k) + cbor(v) for k, v in items)


def wrap(under, nonce, data_set, key):
    wrapping = derive(under, b"varvite key wrap v1")
    cipher, tag = seal_bytes(wrapping, nonce, PREFIX + b"data set\0" + data_set, key)
    return nonce + tag + cipher


def main():
    stream = Stream()
    users = [bytes([0x11 * (i + 1)] * 32) for i in range(2)]
    data_set, data = stream.draw(16), stream.draw(32)
    keys = {use: derive(data, PREFIX + label) for use, label in
            (("tag", b"name tag key"), ("name", b"name key"), ("value", b"value key"), ("root", b"root key"))}
    entries = [[derive(u, b"varvite key id v1")[:8], wrap(u, stream.draw(24), data_set, data)] for u in users]
    envelope = {"format": "varvite-encrypted", "id": data_set, "keys": entries, "seal": bytes(32),
                "segment": SEGMENT, "tree": ("link", TREE), "version": 1}
    envelope["seal"] = derive(keys["root"], PREFIX + b"root", cbor(envelope))
    names = ["zarr.json", "a", "temp/c/0/0", "x" * 31, "x" * 32, "x" * 33, "é/日本/c/1"]
    values = []
    for name, size in (("zarr.json", 0), ("temp/c/0/0", 5), ("temp/c/0/1", 4096), ("temp/c/0/2", 4097),
                       ("temp/c/1/0", 10000)):
        salt = stream.draw(16)
        body = value_body(keys, name, salt, bytes((7 * i + i // 251) % 256 for i in range(size)))
        cid = bytes.fromhex("01551220") + hashlib.sha256(body).digest()
        descriptor = cbor([("link", cid), salt, size])
        values.append({"key": name, "length": size, "salt": salt.hex(), "body": body.hex(),
                       "body_cid_sha2_256": cid.hex(),
                       "pointer": (bytes.fromhex("017100") + bytes([len(descriptor)]) + descriptor).hex()})
    print(json.dumps({
        "user_keys": [u.hex() for u in users], "data_set_id": data_set.hex(), "data_set_key": data.hex(),
        "derived_keys": {k: v.hex() for k, v in keys.items()}, "segment": SEGMENT, "tree": TREE.hex(),
        "envelope": cbor(envelope).hex(),
        "names": [{"key": n, "token": name_token(keys, n)} for n in names],
        "values": values}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
