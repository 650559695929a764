"""A content-addressed store for py-hamt whose blocks lie in a CAR file."""
import blake3
from multiformats import CID
from py_hamt import HAMT, ContentAddressedStore, InMemoryCAS, ZarrHAMTStore

import peers


class CarStore(ContentAddressedStore):
    """Reads the CAR files of others; what is saved is kept, to be written as one."""

    def __init__(self, path=None):
        self.blocks = peers.read_car(path) if path else {}
        self.saved = {}

    async def save(self, data, codec):
        digest = b"\x1e\x20" + blake3.blake3(data).digest()
        self.blocks[digest] = data
        cid = CID("base32", 1, codec, digest)
        self.saved[bytes(cid)] = data
        return cid

    async def load(self, id, offset=None, length=None, suffix=None):
        digest = bytes((CID.decode(id) if isinstance(id, str) else id).digest)
        data = self.blocks[digest]
        if blake3.blake3(data).digest() != digest[2:]:
            raise ValueError(f"block {id} is not what it claims to be")
        if offset is not None:
            return data[offset:] if length is None else data[offset:offset + length]
        return data if suffix is None else data[max(0, len(data) - suffix):]

    def write(self, path, root):
        peers.write_car(path, bytes(root), self.saved.items())
        return str(root.encode("base32"))


class BareStore(InMemoryCAS):
    """py-hamt's own store in memory, whose names are bare multihashes: in a CAR they are CIDs, while
    the links inside of blocks stay as they are."""

    def __init__(self):
        super().__init__()
        self.codecs = {}

    async def save(self, data, codec):
        digest = await super().save(data, codec)
        self.codecs[digest] = codec
        return digest

    def write(self, path, root):
        cids = {digest: CID("base32", 1, codec, digest) for digest, codec in self.codecs.items()}
        peers.write_car(path, bytes(cids[root]),
                        [(bytes(cids[digest]), data) for digest, data in self.store.items()])
        return str(cids[root])


async def open_store(car, root):
    """The Zarr store below a root in a CAR file, read-only."""
    hamt = await HAMT.build(cas=CarStore(car), root_node_id=CID.decode(root), read_only=True,
                            values_are_bytes=True)
    return ZarrHAMTStore(hamt, read_only=True)
