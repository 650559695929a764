"""The same random histories for py-hamt and for us: every root, value, length and order of keys must
be equal. Run it with the Python of an environment that has py-hamt; the version found decides which
form of deletes is compared.

usage: hamt_differential.py HAMT-HISTORY [ROUNDS [SEED]]
"""
import asyncio
import hashlib
import importlib.metadata
import random
import subprocess
import sys

import blake3
from multiformats import CID
from py_hamt import HAMT, ContentAddressedStore, InMemoryCAS

VERSION = tuple(int(part) for part in importlib.metadata.version("py-hamt").split(".")[:2])
FORM = "canonical" if VERSION >= (3, 4) else "prune"


class CidStore(ContentAddressedStore):
    """Names blocks by CIDs, as a Kubo daemon does."""

    def __init__(self, name):
        self.name = name
        self.blocks = {}

    async def save(self, data, codec):
        if self.name == "blake3":
            digest = b"\x1e\x20" + blake3.blake3(data).digest()
        else:
            digest = b"\x12\x20" + hashlib.sha256(data).digest()
        cid = CID("base32", 1, codec, digest)
        self.blocks[digest] = data
        return cid

    async def load(self, id, offset=None, length=None, suffix=None):
        return self.blocks[bytes(id.digest)]


def narrow(key):
    return bytes(byte & 3 for byte in blake3.blake3(key).digest())


def hexadecimal(data):
    return data.hex() or "-"


def id_text(root):
    return root.hex() if isinstance(root, bytes) else str(root)


def some_key(chance, keys):
    kind = chance.randrange(4)
    number = chance.randrange(keys)
    if kind == 0:
        return f"temp/c/{number // 100}/{number // 10 % 10}/{number % 10}"
    if kind == 1:
        return f"ключ{number}"
    return str(number)


class History:
    """Plays steps to py-hamt and writes down the lines that we must print for them."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.lines = []
        self.answers = []
        self.ids = self.chance.choice(["bare", "blake3", "sha2-256"])
        self.bucket = self.chance.choice([1, 1, 2, 3, 4, 4, 8, 13])
        self.hash = self.chance.choice(["blake3", "blake3", "narrow"])
        self.store = InMemoryCAS() if self.ids == "bare" else CidStore(self.ids)
        self.keys = self.chance.choice([5, 30, 200, 1500])

    async def build(self, root=None):
        options = dict(cas=self.store, values_are_bytes=True, max_bucket_size=self.bucket)
        if self.hash == "narrow":
            options["hash_fn"] = narrow
        self.hamt = await HAMT.build(root_node_id=root, **options)

    def say(self, line, answer=None):
        self.lines.append(line)
        if answer is not None:
            self.answers.append((len(self.lines) - 1, answer))

    async def flush(self):
        await self.hamt.make_read_only()
        root = self.hamt.root_node_id
        await self.hamt.enable_write()
        return root

    async def set(self):
        key = some_key(self.chance, self.keys)
        value = self.chance.randbytes(self.chance.randrange(40))
        await self.hamt.set(key, value)
        self.say(f"set {hexadecimal(key.encode())} {hexadecimal(value)}")

    async def delete(self):
        key = some_key(self.chance, self.keys)
        try:
            await self.hamt.delete(key)
            answer = "ok"
        except KeyError:
            answer = "none"
        self.say(f"delete {hexadecimal(key.encode())}", answer)

    async def get(self):
        key = some_key(self.chance, self.keys)
        try:
            answer = hexadecimal(await self.hamt.get(key))
        except KeyError:
            answer = "none"
        self.say(f"get {hexadecimal(key.encode())}", answer)

    async def step(self):
        dice = self.chance.randrange(1000)
        if dice < 560:
            await self.set()
        elif dice < 900:
            await self.delete()
        elif dice < 980:
            await self.get()
        elif dice < 988:
            self.say("len", str(await self.hamt.len()))
        elif dice < 994:
            self.say("flush", id_text(await self.flush()))
        elif dice < 997:
            await self.hamt.cache_vacate()
            self.say("vacate", id_text(self.hamt.root_node_id))
        else:
            # Never smaller: there the reference loses keys.
            self.bucket += self.chance.choice([0, 0, 1])
            root = await self.flush()
            self.say(f"reopen {self.bucket}", id_text(root))
            await self.build(root)

    async def play(self, steps):
        await self.build()
        self.say(f"new {self.ids} {self.bucket} {FORM} {self.hash}")
        for _ in range(steps):
            await self.step()
        root = await self.flush()
        self.say("vacate", id_text(root))
        # Once loaded from blocks, keys come in one order.
        await self.build(root)
        listed = " ".join(["keys"] + [hexadecimal(key.encode()) async for key in self.hamt.keys()])
        self.say("keys", listed)


async def histories(rounds, seed):
    chance = random.Random(seed)
    lines, answers = [], []
    for number in range(rounds):
        history = History(f"{seed}/{number}")
        await history.play(chance.choice([20, 150, 600, 1500]))
        answers += [(len(lines) + at, answer, number) for at, answer in history.answers]
        lines += history.lines
    return lines, answers


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    lines, answers = asyncio.run(histories(rounds, seed))
    done = subprocess.run([program], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"FAILED: {program}: exit status {done.returncode}")
    ours = done.stdout.splitlines()
    if len(ours) != len(answers):
        raise SystemExit(f"FAILED: {len(ours)} answers, not {len(answers)}")
    for (at, right, number), answer in zip(answers, ours):
        if answer != right:
            raise SystemExit(f"FAILED: history {seed}/{number}, `{lines[at]}`: {answer}, not {right}")
    version = importlib.metadata.version("py-hamt")
    print(f"equal to py-hamt {version}: {rounds} histories, {len(lines)} steps, {len(answers)} answers")


if __name__ == "__main__":
    main()
