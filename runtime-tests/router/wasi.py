"""Replays a trace on the router core as a WASI module, and prints the report.

    python wasi.py ROUTER.WASI.WASM TRACE

It is also an example of how to embed the core in another language: class Core does everything that a host has to do.
The exports are those of router-wasm/assembly/index.ts. They take and return only numbers; larger arguments are in areas
of linear memory, whose addresses the module returns and which only move when another length is requested.
"""

import json
import struct
import sys
from pathlib import Path

from wasmtime import Engine, Linker, Module, Store, WasiConfig

POLICIES = ["kv", "round-robin", "random", "least-loaded", "power-of-two"]
TIERS = {"device": 0, "predicted": 1, "host": 2, "disk": 3, "shared": 4}
STATS = [
    "blocks", "storedBlocks", "predictedBlocks", "hostBlocks", "diskBlocks", "sharedBlocks", "runs", "bookings",
    "decisions", "unbookedDecisions", "staleBookings", "ignoredEvents", "unknownRemovals", "forgottenBlocks",
    "refusedBlocks",
]  # fmt: skip
DECISION = [
    "overlapBlocks", "cost", "booking", "busyWorkers", "hostBlocks", "diskBlocks", "sharedBlocks", "predictedBlocks",
]  # fmt: skip
WEIGHTS = {
    "overlapCredit": 2.0, "creditDecay": 0.0, "prefillLoadScale": 24.0, "activeRequestWeight": 0.0,
    "recentPrefillWeight": 0.15, "recentPrefillSeconds": 600.0,
    "hostCredit": 1.5, "diskCredit": 0.5, "sharedMultiplier": 1.0, "temperature": 0.0,
}  # fmt: skip
BASE_SEED = 1337
MASK = 2**64 - 1


class Core:
    """One instance of the module: a router with its own memory."""

    def __init__(self, engine, module, options):
        self.store = Store(engine)
        self.store.set_wasi(WasiConfig())
        linker = Linker(engine)
        linker.define_wasi()  # The core currently uses none of it.
        self.exports = linker.instantiate(self.store, module).exports(self.store)
        self.memory = self.exports["memory"]
        self.call("_initialize")
        self.weights = dict(WEIGHTS)
        self.block_size = options["blockSize"]
        self.call("setMemoryLimit", float(options.get("maxMemoryBytes", 2**32)))
        ready = self.call(
            "init",
            self.block_size,
            options.get("maxWorkers", 1024),
            options.get("maxBlocks", 4_194_304),
            options.get("expectedBlocks", 0),
            options.get("maxBookings", 65_536),
        )
        if not ready or not self.area("eventArea"):
            raise MemoryError("There is not enough memory for the router's limits.")
        self.piece = self.call("eventBlocks")
        self.set_weights(options.get("weights", {}))

    def call(self, name, *arguments):
        """Passes 32-bit numbers as signed ones."""
        return self.exports[name](self.store, *(signed(argument) for argument in arguments))

    def area(self, name, *arguments):
        """The address of an area; 0 if there is not enough memory for it."""
        return self.call(name, *arguments) & 0xFFFFFFFF

    def write(self, at, layout, numbers):
        """Writes numbers: I has 32 bits, Q 64."""
        self.memory.write(self.store, struct.pack(f"<{len(numbers)}{layout}", *numbers), at)

    def read(self, at, layout, count):
        data = self.memory.read(self.store, at, at + count * struct.calcsize(f"<{layout}"))
        return list(struct.unpack(f"<{count}{layout}", data))

    # Hashing

    def hash_bytes(self, data, seed):
        """XXH3-64 with a seed."""
        self.area("eventArea")
        self.memory.write(self.store, data, self.area("eventTokensArea"))
        self.call("hashBytes", len(data), seed & 0xFFFFFFFF, seed >> 32)
        return self.read(self.area("resultArea"), "Q", 1)[0]

    def seed(self, lora_name, namespace):
        """The seed of block hashes for a salt."""
        seed = BASE_SEED
        if lora_name:
            seed += self.hash_bytes(lora_name.encode(), 0)
        if namespace:
            seed += self.hash_bytes(namespace.encode(), 1)
        return seed & MASK

    def use_salt(self, salt, before=0):
        """Hashes with this salt the blocks after the first `before`."""
        seed = self.seed(salt.get("loraName"), None)
        self.call("useSalt", seed & 0xFFFFFFFF, seed >> 32)
        block = salt.get("sharedBlocks", 0) - before
        if salt.get("namespace") and block >= 0:
            seed = self.seed(salt.get("loraName"), salt["namespace"])
            self.call("useBlockSalt", block, seed & 0xFFFFFFFF, seed >> 32)

    def write_media(self, media):
        """Writes, for each block with media: its index and their number, 32 bits each, and the sorted hashes."""
        words = []
        for block, hashes in enumerate(media or []):
            if hashes:
                words += [block | len(hashes) << 32, *sorted(hashes)]
        if words:
            self.write(self.area("mediaArea", (len(words) + 1) * 8), "Q", [*words, 0xFFFFFFFF])
        return 1 if words else 0

    # Events

    def store_blocks(self, tier, worker, hashes, parent, tokens=None, local_hashes=None, media=None, salt={}):
        """Stores blocks in pieces that fit in the event area. Returns how many were stored."""
        at = self.area("eventArea")
        if parent is not None:
            self.write(at, "Q", [parent])
        if not self.call("storeBegin", TIERS[tier], worker, 0 if parent is None else 1):
            return 0
        done = 0
        while done < len(hashes):
            piece = hashes[done : done + self.piece]
            end = done + len(piece)
            self.write(at, "Q", piece)
            if local_hashes is None:
                self.use_salt(salt, done)
                ids = tokens[done * self.block_size : end * self.block_size]
                self.write(self.area("eventTokensArea"), "I", ids)
                has_media = self.write_media(media and media[done:end])
                stored = self.call("storeMore", TIERS[tier], worker, len(piece), has_media)
            else:
                self.write(self.area("eventLocalsArea"), "Q", local_hashes[done:end])
                stored = self.call("storeMoreHashed", TIERS[tier], worker, len(piece))
            done += stored
            if stored < len(piece):
                break
        self.call("storeEnd", len(hashes) - done)
        return done

    def by_names(self, export, tier, worker, hashes):
        """Calls `storeCopies` or `removeStored`."""
        changed = 0
        for start in range(0, len(hashes), self.piece):
            piece = hashes[start : start + self.piece]
            self.write(self.area("eventArea"), "Q", piece)
            changed += self.call(export, TIERS[tier], worker, len(piece))
        return changed

    def apply_batch(self, worker, payload):
        """Applies events in vLLM's wire format. None for a batch that the core does not read."""
        at = self.area("payloadArea", len(payload))
        self.memory.write(self.store, payload, at)
        events = self.call("readBatch", len(payload))
        if events < 0:
            return None
        rank, stored_events = self.read(self.area("resultArea"), "d", 2)
        changed = self.call("applyBatch", worker)
        return {"events": events, "storedEvents": stored_events, "rank": rank, "changed": changed}

    # Decisions

    def set_weights(self, change):
        self.weights |= change
        names = ("creditDecay", "prefillLoadScale", "activeRequestWeight")
        self.call("configure", *(float(self.weights[name]) for name in names))
        seconds = float(self.weights["recentPrefillSeconds"])
        kept = 1 - 0.1 / seconds if seconds > 0.1 else 0.0
        self.call("configureRecent", float(self.weights["recentPrefillWeight"]), kept)
        names = ("hostCredit", "diskCredit", "sharedMultiplier")
        self.call("configureTiers", *(float(self.weights[name]) for name in names))

    def write_prompt(self, tokens):
        self.write(self.area("promptArea", len(tokens)), "I", tokens)

    def decide(self, tokens, options, media):
        self.write_prompt(tokens)
        if "now" in options:
            self.call("setTime", int(options["now"] * 10))
        if "terms" in options:
            self.write_terms(options["terms"])
        has_media = self.write_media(media)
        for worker in options.get("excluded", []):
            self.call("exclude", worker)
        worker = self.call(
            "decide",
            len(tokens),
            POLICIES.index(options["policy"]),
            options.get("pinnedWorker", -1),
            float(options.get("overlapCredit", self.weights["overlapCredit"])),
            float(options.get("temperature", self.weights["temperature"])),
            float(options["random"]),
            float(options.get("expectedOutputTokens", 0)),
            has_media,
            int(options.get("book", True)),
            int(options.get("decodeOnly", False)),
            int("terms" in options),
        )
        answers = dict(zip(DECISION, self.read(self.area("resultArea"), "d", len(DECISION))))
        booking = int(answers.pop("booking"))
        return {"worker": worker} | answers, booking

    def write_terms(self, terms):
        area = self.area("hostTermsArea")
        self.write(area, "d", [0.0] * self.call("workers"))
        self.write(area, "d", [float(term) for term in terms])

    def overlaps(self, count):
        """For each worker: blocks on the device, in host memory, on disk and shared."""
        areas = ("overlapsArea", "hostOverlapsArea", "diskOverlapsArea", "poolOverlapsArea")
        return list(zip(*(self.read(self.area(area), "I", count) for area in areas)))

    def explain(self):
        count = self.call("pricedWorkers")
        areas = ("prefillTermsArea", "decodeTermsArea", "totalsArea")
        terms = zip(*(self.read(self.area(area), "d", count) for area in areas))
        rows = [[worker, *row[0], *row[1]] for worker, row in enumerate(zip(self.overlaps(count), terms))]
        return [row for row in rows if row[-1] != float("inf")]

    # State

    def load(self, worker):
        areas = ("prefillTokensArea", "decodeBlocksArea", "requestsArea")
        booked = [self.read(self.area(area) + worker * 8, "d", 1)[0] for area in areas]
        tiers = ("device", "predicted", "host", "disk")
        return booked + [self.call("heldBlocksOf", TIERS[tier], worker) for tier in tiers]

    def stats(self):
        counters = dict(zip(STATS, self.read(self.area("statsArea"), "d", len(STATS))))
        return {"workers": self.call("workers")} | counters


def signed(number):
    return number - 2**32 if isinstance(number, int) and number >= 2**31 else number


def unhex(hashes):
    return [int(name, 16) for name in hashes]


def tokens_of(runs):
    return [first + i & 0xFFFFFFFF for first, count in runs for i in range(count)]


def media_of(step):
    return [hashes and unhex(hashes) for hashes in step.get("media") or []]


class Player:
    """Performs the steps of a scenario, which trace.ts describes."""

    def __init__(self, core, scenario):
        self.core = core
        self.salts = scenario["salts"]
        self.bookings = []

    def play(self, step):
        core, what = self.core, step["do"]
        if what in ("applyStored", "applyBatch", "decide", "find"):
            core.use_salt(self.salts[step.get("salt", 0)])
        if what == "addWorker":
            return core.call("addWorker")
        if what == "applyBatch":
            return core.apply_batch(step["worker"], bytes.fromhex(step["payload"]))
        if what == "clearShared":
            return core.call("clearPool")
        if what == "passTime":
            return core.call("setTime", int(step["now"] * 10))
        if what == "setWeights":
            return core.set_weights(step["weights"])
        if what == "decide":
            chosen, booking = core.decide(tokens_of(step["tokens"]), step["options"], media_of(step))
            if booking >= 0:
                self.bookings.append(booking)
            return chosen | {"booked": booking >= 0}
        if what == "predict":
            return core.call("predictPrompt", step["worker"])
        if what == "explain":
            return core.explain()
        if what == "find":
            return self.find(step)
        if what in ("firstToken", "free"):
            return core.call(what, self.bookings[step["booking"]])
        if what == "grow":
            return core.call("grow", self.bookings[step["booking"]], float(step["blocks"]))
        if what == "stats":
            return core.stats()
        return [self.play_for(worker, step) for worker in step["workers"]]

    def play_for(self, worker, step):
        core, what = self.core, step["do"]
        tier = step.get("tier", "device")
        if what in ("removeWorker", "clearWorker"):
            return core.call(what, worker)
        if what == "setEligible":
            return core.call("setEligible", worker, int(step["eligible"]))
        if what == "setLimits":
            names = ("activePrefillTokens", "activeDecodeBlocks")
            return core.call("limitWorker", worker, *(float(step["limits"].get(name, "inf")) for name in names))
        if what == "setPredictions":
            options = step.get("options", {"ttlSeconds": None})
            ticks = 0 if options["ttlSeconds"] is None else max(1, int(options["ttlSeconds"] * 10))
            return core.call("setPrediction", worker, ticks, float(options.get("capacityBlocks", "inf")))
        if what == "load":
            return core.load(worker)
        hashes = unhex(step["hashes"])
        if what == "applyCopied":
            return core.by_names("storeCopies", tier, worker, hashes)
        if what == "applyRemoved":
            return core.by_names("removeStored", tier, worker, hashes)
        parent = int(step["parent"], 16) if "parent" in step else None
        if what == "applyHashed":
            return core.store_blocks(tier, worker, hashes, parent, local_hashes=unhex(step["locals"]))
        tokens = tokens_of(step["tokens"])
        salt = self.salts[step.get("salt", 0)]
        return core.store_blocks(tier, worker, hashes, parent, tokens=tokens, media=media_of(step), salt=salt)

    def find(self, step):
        core, tokens = self.core, tokens_of(step["tokens"])
        core.write_prompt(tokens)
        blocks = core.call("hashPrompt", len(tokens), core.write_media(media_of(step)))
        hashes = core.read(core.area("hashesArea", blocks), "Q", blocks)
        longest = core.call("find", blocks)
        workers = [row[0] for row in step["expect"]["overlaps"]]
        overlaps = core.overlaps(max(workers, default=-1) + 1)
        rows = [[worker, *overlaps[worker]] for worker in workers]
        return {"hashes": [hex(one) for one in hashes], "longest": longest, "overlaps": rows}


def hash_vector(core, vector):
    """Block and sequence hashes of a vector's tokens."""
    seed = core.seed(vector["lora_name"], vector["cache_namespace"])
    size, tokens = vector["block_size"], vector["tokens"]
    media = vector["mm_hashes"] or []
    blocks, sequence = [], []
    for i in range(len(tokens) // size):
        data = struct.pack(f"<{size}I", *tokens[i * size : (i + 1) * size])
        extra = sorted(int(one) for one in (media[i] if i < len(media) else None) or [])
        blocks.append(core.hash_bytes(data + struct.pack(f"<{len(extra)}Q", *extra), seed))
        link = struct.pack("<2Q", sequence[-1], blocks[-1]) if sequence else b""
        sequence.append(core.hash_bytes(link, BASE_SEED) if sequence else blocks[-1])
    return [str(one) for one in blocks], [str(one) for one in sequence]


def replay(engine, module, trace):
    report = {"checks": 0, "failures": [], "memoryBytes": []}

    def check(scenario, step, expected, actual):
        report["checks"] += 1
        if expected != actual and len(report["failures"]) < 20:
            failure = {"scenario": scenario, "step": step, "expected": expected, "actual": actual}
            report["failures"].append(failure)

    hasher = Core(engine, module, {"blockSize": 16})
    for i, vector in enumerate(trace["vectors"]):
        blocks, sequence = hash_vector(hasher, vector)
        check("hashing", i, vector["block_hashes"], blocks)
        check("hashing", i, vector["sequence_hashes"], sequence)
    for scenario in trace["scenarios"]:
        core = Core(engine, module, scenario["options"])
        player = Player(core, scenario)
        for i, step in enumerate(scenario["steps"]):
            actual = player.play(step)
            if "expect" in step:
                check(scenario["name"], i, step["expect"], actual)
        report["memoryBytes"].append(int(core.call("memoryBytes")))
    return report


if __name__ == "__main__":
    engine = Engine()
    module = Module.from_file(engine, sys.argv[1])
    print(json.dumps(replay(engine, module, json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))))
