import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransferAgent, type TransferAgent, type TransferKind } from "./index.ts";
import { TestPeer } from "./testing-peer.ts";

const MIB = 2 ** 20;

/** What every kind of transfer must do, within one process and between two. */
export function transferSuite(kind: TransferKind, isAvailable = true): void {
  describe.skipIf(!isAvailable)(`transfers over ${kind}`, () => {
    let one: TransferAgent;
    let other: TransferAgent;
    beforeAll(async () => {
      one = await openTransferAgent({ kind, name: "one" });
      other = await openTransferAgent({ kind, name: "other" });
    });
    afterAll(async () => {
      await one[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });

    const allocate = async (agent: TransferAgent, bytes: number, value: number | string) => {
      const memory = await agent.allocate(bytes);
      if (value !== 0) memory.buffer!.fill(value as number);
      return memory;
    };

    it("says its kind and why", () => {
      expect(one.kind).toBe(kind);
      expect(one.choice).toMatch(kind);
    });

    it("reads and writes a peer's memory", async () => {
      using local = await allocate(one, 3 * MIB + 5, 0);
      using remote = await allocate(other, 3 * MIB + 5, 7);
      using peer = await one.connect(other.metadata());
      expect(isAll(local.buffer!, 0)).toBe(true);
      const { bytes, microseconds } = await peer.read({ local, remote: remote.descriptor() });
      expect(bytes).toBe(3 * MIB + 5);
      expect(microseconds).toBeGreaterThan(0);
      expect(isAll(local.buffer!, 7)).toBe(true);
      local.buffer!.fill(9);
      await peer.write({ local, remote: remote.descriptor() });
      expect(isAll(remote.buffer!, 9)).toBe(true);
      expect(peer).toMatchObject({ kind, name: "other" });
    });

    it("moves a scatter list whose two sides are cut differently", async () => {
      using local = await allocate(one, 64, 0);
      using remote = await allocate(other, 64, 0);
      remote.buffer!.set(Array.from({ length: 64 }, (_, index) => index));
      using peer = await one.connect(other.metadata());
      // 40 to 49, 10 to 12, 0; of which the last 9: 45 to 49, 10 to 12, 0.
      const described = [
        { offset: 40, length: 10 },
        { offset: 10, length: 3 },
        { offset: 0, length: 1 },
      ];
      await peer.read({
        local,
        localRanges: [
          { offset: 60, length: 4 },
          { offset: 0, length: 0 },
          { offset: 20, length: 5 },
        ],
        remote: remote.descriptor(described),
        remoteRanges: [{ offset: 5, length: 9 }],
      });
      expect([...local.buffer!.subarray(60)]).toEqual([45, 46, 47, 48]);
      expect([...local.buffer!.subarray(20, 25)]).toEqual([49, 10, 11, 12, 0]);
      expect(local.buffer!.filter((byte) => byte !== 0)).toHaveLength(8);
    });

    it("moves thousands of blocks", async () => {
      const [blocks, block] = [3_000, 1_024];
      using local = await allocate(one, blocks * block, 0);
      using remote = await allocate(other, blocks * block * 2, 0);
      for (let index = 0; index < blocks; index++)
        remote.buffer!.fill(index, index * 2 * block, (index * 2 + 1) * block);
      const every = Array.from({ length: blocks }, (_, index) => ({
        offset: index * 2 * block,
        length: block,
      }));
      using peer = await one.connect(other.metadata());
      await peer.read({ local, remote: remote.descriptor(every) });
      const wrong = Array.from({ length: blocks }, (_, index) => index).filter((index) => {
        const at = index * block;
        return local.buffer![at] !== index % 256 || local.buffer![at + block - 1] !== index % 256;
      });
      expect(wrong).toEqual([]);
    });

    it("registers the caller's own buffers, also part of one", async () => {
      const [mine, theirs] = [Buffer.from(new ArrayBuffer(100)), Buffer.from(new ArrayBuffer(200)).fill(3)];
      using local = await one.register(mine);
      using remote = await other.register(theirs.subarray(50, 150));
      theirs[149] = 4;
      using peer = await one.connect(other.metadata());
      await peer.read({ local, remote: remote.descriptor() });
      expect([mine[0], mine[98], mine[99]]).toEqual([3, 3, 4]);
    });

    it("moves between memory and a file of its own", async () => {
      const folder = mkdtempSync(join(tmpdir(), "stator-transfer-"));
      const path = join(folder, "blocks");
      writeFileSync(path, Buffer.alloc(2 * MIB, 5));
      const fd = openSync(path, "r+");
      try {
        using file = await one.register({ fd, length: 2 * MIB });
        using local = await allocate(one, 2 * MIB, 0);
        using self = await one.connect(one.metadata());
        await self.read({ local, remote: file.descriptor() });
        expect(isAll(local.buffer!, 5)).toBe(true);
        local.buffer!.fill(6);
        const ranges = [{ offset: MIB - 100, length: 200 }];
        await self.write({ local, localRanges: ranges, remote: file.descriptor(ranges) });
        const written = readFileSync(path);
        expect([written[MIB - 101], written[MIB - 100], written[MIB + 99], written[MIB + 100]]).toEqual([
          5, 6, 6, 5,
        ]);
      } finally {
        closeSync(fd);
        rmSync(folder, { recursive: true });
      }
    });

    it("moves within an agent, and refuses memory of its own that has been given up", async () => {
      using local = await allocate(one, 3 * MIB, 0);
      const source = await allocate(one, 3 * MIB, 6);
      using self = await one.connect(one.metadata());
      const descriptor = source.descriptor();
      await self.read({ local, remote: descriptor });
      expect(isAll(local.buffer!, 6)).toBe(true);
      source[Symbol.dispose]();
      await expect(self.read({ local, remote: descriptor })).rejects.toMatchObject({ code: "refused" });
    });

    it("posts a prepared transfer many times, one at a time", async () => {
      using local = await allocate(one, MIB, 0);
      using remote = await allocate(other, MIB, 0);
      using peer = await one.connect(other.metadata());
      using prepared = await peer.prepare("read", { local, remote: remote.descriptor() });
      expect(prepared.bytes).toBe(MIB);
      for (let round = 1; round <= 20; round++) {
        remote.buffer!.fill(round);
        await prepared.post();
        expect([local.buffer![0], local.buffer![MIB - 1]]).toEqual([round, round]);
      }
      const running = prepared.post();
      await expect(prepared.post()).rejects.toMatchObject({ code: "invalid" });
      await running;
      prepared[Symbol.dispose]();
      await expect(prepared.post()).rejects.toMatchObject({ code: "aborted" });
    });

    it("runs many transfers at once", async () => {
      using local = await allocate(one, 64 * 65_536, 0);
      using remote = await allocate(other, 64 * 65_536, 0);
      for (let index = 0; index < 64; index++)
        remote.buffer!.fill(index + 1, index * 65_536, (index + 1) * 65_536);
      using peer = await one.connect(other.metadata());
      await Promise.all(
        Array.from({ length: 64 }, (_, index) => {
          const ranges = [{ offset: index * 65_536, length: 65_536 }];
          return peer.read({ local, localRanges: ranges, remote: remote.descriptor(ranges) });
        }),
      );
      const ends = Array.from({ length: 64 }, (_, index) => local.buffer![(index + 1) * 65_536 - 1]);
      expect(ends).toEqual(Array.from({ length: 64 }, (_, index) => index + 1));
    });

    it("notifies, after a transfer's bytes and alone, also before anyone listens", async () => {
      using local = await allocate(one, MIB, 8);
      using remote = await allocate(other, MIB, 0);
      using peer = await one.connect(other.metadata());
      await peer.write({ local, remote: remote.descriptor(), notify: Buffer.from("written") });
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const { from, message } of other.notifications(stop.signal)) {
        seen.push(`${from}: ${Buffer.from(message)}`);
        if (seen.length === 1) {
          expect(isAll(remote.buffer!, 8)).toBe(true);
          await peer.notify(Buffer.from("alone"));
          await peer.read({ local, remote: remote.descriptor(), notify: Buffer.from("read") });
        }
        if (seen.length === 3) stop.abort();
      }
      expect(seen[0]).toBe("one: written");
      expect(seen.slice(1).sort()).toEqual(["one: alone", "one: read"]);
    });

    it("refuses ranges outside the memory and sides of different length, before anything moves", async () => {
      using local = await allocate(one, 100, 0);
      using remote = await allocate(other, 100, 1);
      using peer = await one.connect(other.metadata());
      const descriptor = remote.descriptor([{ offset: 50, length: 50 }]);
      const outside = { code: "out_of_range" };
      expect(() => remote.descriptor([{ offset: 50, length: 51 }])).toThrow(expect.objectContaining(outside));
      expect(() => remote.descriptor([{ offset: -1, length: 5 }])).toThrow(
        expect.objectContaining({ code: "invalid" }),
      );
      const fails = (ranges: { localRanges?: object; remoteRanges?: object }) =>
        expect(peer.read({ local, remote: descriptor, ...(ranges as object) })).rejects;
      await fails({ localRanges: [{ offset: 90, length: 11 }] }).toMatchObject(outside);
      await fails({ remoteRanges: [{ offset: 40, length: 11 }] }).toMatchObject(outside);
      await fails({ localRanges: [{ offset: 0.5, length: 1 }] }).toMatchObject({ code: "invalid" });
      await fails({}).toMatchObject({ code: "wrong_size" });
      await fails({ localRanges: [], remoteRanges: [] }).toMatchObject({ code: "invalid" });
      await expect(peer.read({ local: remote, remote: descriptor })).rejects.toMatchObject({
        code: "invalid",
      });
      expect(isAll(local.buffer!, 0)).toBe(true);
    });

    it("refuses the descriptor of memory that has been given up, also if the same buffer is registered anew", async () => {
      const theirs = Buffer.from(new ArrayBuffer(1_000)).fill(1);
      using local = await allocate(one, 1_000, 2);
      using peer = await one.connect(other.metadata());
      const first = await other.register(theirs);
      const stale = first.descriptor();
      await peer.read({ local, remote: stale });
      first[Symbol.dispose]();
      first[Symbol.dispose]();
      expect(() => first.descriptor()).toThrow(expect.objectContaining({ code: "aborted" }));
      await expect(peer.read({ local, remote: stale })).rejects.toMatchObject({ code: "refused" });
      using again = await other.register(theirs);
      await expect(peer.read({ local, remote: stale })).rejects.toMatchObject({ code: "refused" });
      local.buffer!.fill(2);
      await expect(peer.write({ local, remote: stale })).rejects.toMatchObject({ code: "refused" });
      expect(isAll(theirs, 1)).toBe(true);
      await peer.read({ local, remote: again.descriptor() });
      expect(isAll(local.buffer!, 1)).toBe(true);
    });

    it("refuses local memory that has been given up", async () => {
      const local = await allocate(one, 100, 0);
      using remote = await allocate(other, 100, 1);
      using peer = await one.connect(other.metadata());
      using prepared = await peer.prepare("read", { local, remote: remote.descriptor() });
      local[Symbol.dispose]();
      await expect(peer.read({ local, remote: remote.descriptor() })).rejects.toMatchObject({
        code: "aborted",
      });
      await expect(prepared.post()).rejects.toMatchObject({ code: "aborted" });
    });

    it("keeps the memory of a running transfer when its registration ends", async () => {
      const local = await allocate(one, 32 * MIB, 0);
      using remote = await allocate(other, 32 * MIB, 4);
      using peer = await one.connect(other.metadata());
      const buffer = local.buffer!;
      const running = peer.read({ local, remote: remote.descriptor() });
      local[Symbol.dispose]();
      await running.catch(() => {});
      await local.settled();
      // Either it was already on its way, or it has been refused.
      const result = await running.then(
        () => "read",
        (error) => error.code,
      );
      expect(["read", "aborted"]).toContain(result);
      if (result === "read") expect(isAll(buffer, 4)).toBe(true);
    });

    it("aborts a transfer by its signal, and goes on afterwards", async () => {
      using local = await allocate(one, 64 * MIB, 0);
      using remote = await allocate(other, 64 * MIB, 4);
      using peer = await one.connect(other.metadata());
      const reason = new Error("no longer needed");
      const aborted = { code: "aborted", cause: reason };
      const read = (signal: AbortSignal) => peer.read({ local, remote: remote.descriptor(), signal });
      await expect(read(AbortSignal.abort(reason))).rejects.toMatchObject(aborted);
      const stop = new AbortController();
      const running = read(stop.signal);
      stop.abort(reason);
      await expect(running).rejects.toMatchObject(aborted);
      await local.settled();
      local.buffer!.fill(0);
      await read(new AbortController().signal);
      expect(isAll(local.buffer!, 4)).toBe(true);
    });

    it("aborts what runs when its peer or agent is disposed of, which may happen twice", async () => {
      const agent = await openTransferAgent({ kind, name: "short-lived" });
      const local = await allocate(agent, 64 * MIB, 0);
      using remote = await allocate(other, 64 * MIB, 4);
      const read = async (use: (end: () => unknown) => void) => {
        const peer = await agent.connect(other.metadata());
        const running = peer.read({ local, remote: remote.descriptor() });
        use(() => peer[Symbol.dispose]());
        return running;
      };
      await expect(read((end) => end())).rejects.toMatchObject({ code: "aborted" });
      let closed: Promise<void> | undefined;
      const running = read(() => {
        closed = agent[Symbol.asyncDispose]();
      });
      await expect(running).rejects.toMatchObject({ code: "aborted" });
      await closed;
      await agent[Symbol.asyncDispose]();
      local[Symbol.dispose]();
      await expect(agent.allocate(10)).rejects.toMatchObject({ code: "aborted" });
    });

    it("refuses buffers that can move, and keeps registered ones from moving", async () => {
      const invalid = { code: "invalid" };
      const resizable = new Uint8Array(new ArrayBuffer(10, { maxByteLength: 20 }));
      await expect(one.register(resizable)).rejects.toMatchObject(invalid);
      await expect(one.register(new Uint8Array(new SharedArrayBuffer(10)))).rejects.toMatchObject(invalid);
      const detached = new Uint8Array(10);
      structuredClone(detached, { transfer: [detached.buffer] });
      await expect(one.register(detached)).rejects.toMatchObject(invalid);
      const registered = new Uint8Array(10);
      using _ = await one.register(registered);
      expect(() => structuredClone(registered, { transfer: [registered.buffer] })).toThrow("Cannot transfer");
      expect(() => registered.buffer.transfer()).toThrow("not detachable");
    });

    it("keeps allocated memory in place, or notices that it was moved", async () => {
      using local = await allocate(one, 4 * MIB, 0);
      using remote = await allocate(other, 4 * MIB, 1);
      using peer = await one.connect(other.metadata());
      const buffer = local.buffer!.buffer as ArrayBuffer;
      expect(() => buffer.transfer()).toThrow("not detachable");
      // Only memory of the addon can still be moved, with some effort. The addon keeps it.
      const moved = attempt(() => ArrayBuffer.prototype.transfer.call(buffer));
      const read = peer.read({ local, remote: remote.descriptor() });
      if (moved === undefined) await read;
      else await expect(read).rejects.toMatchObject({ code: "invalid" });
    });

    it("rejects damaged metadata and descriptors with an error, and goes on", async () => {
      using local = await allocate(one, 100, 0);
      using remote = await allocate(other, 100, 1);
      const [metadata, descriptor] = [other.metadata(), remote.descriptor()];
      using peer = await one.connect(metadata);
      const attempts: Promise<unknown>[] = [];
      for (const damaged of damage(metadata)) attempts.push(one.connect(damaged));
      for (const damaged of damage(descriptor)) attempts.push(peer.read({ local, remote: damaged }));
      for (const result of await Promise.allSettled(attempts))
        expect(result).toMatchObject({
          status: "rejected",
          reason: expect.objectContaining({ code: "invalid" }),
        });
      await peer.read({ local, remote: descriptor });
    });

    it("names both versions when the peer has another one", async () => {
      const newer = Uint8Array.from(other.metadata());
      newer[4]!++;
      await expect(one.connect(newer)).rejects.toThrow(/version 2.*version 1/);
    });

    it("counts what it moves", async () => {
      await using agent = await openTransferAgent({ kind, name: "counting" });
      using local = await allocate(agent, 1_000, 0);
      using remote = await allocate(other, 1_000, 0);
      using peer = await agent.connect(other.metadata());
      await peer.read({ local, remote: remote.descriptor() });
      await peer.read({ local, remote: remote.descriptor(), signal: AbortSignal.abort() }).catch(() => {});
      const descriptor = remote.descriptor();
      remote[Symbol.dispose]();
      await peer.read({ local, remote: descriptor }).catch(() => {});
      expect(agent.telemetry()).toEqual({
        completed: 1,
        failed: 1,
        running: 0,
        bytes: 1_000,
        microseconds: expect.any(Number),
        registrations: 1,
        registeredBytes: 1_000,
        peers: 1,
      });
    });

    it("reads, writes and notifies across processes", async () => {
      await using child = await TestPeer.start(kind, 8 * MIB, 11);
      using local = await allocate(one, 8 * MIB, 0);
      using peer = await one.connect(child.metadata);
      await peer.read({ local, remote: child.descriptor });
      expect(isAll(local.buffer!, 11)).toBe(true);
      local.buffer!.fill(12);
      await peer.write({ local, remote: child.descriptor, notify: Buffer.from("here") });
      expect(Buffer.from(await child.ask({ command: "notification" })).toString()).toBe("here");
      const content = await child.ask({ command: "content", offset: 8 * MIB - 10, length: 10 });
      expect([...content]).toEqual(Array(10).fill(12));
      const renewed = await child.ask({ command: "renew" });
      await expect(peer.read({ local, remote: child.descriptor })).rejects.toMatchObject({ code: "refused" });
      await peer.read({ local, remote: renewed });
    });

    it("notices that a peer was killed in the middle of transfers, and goes on with others", async () => {
      using local = await allocate(one, 32 * MIB, 0);
      await using victim = await TestPeer.start(kind, 32 * MIB, 1);
      await using survivor = await TestPeer.start(kind, 32 * MIB, 2);
      using lost = await one.connect(victim.metadata);
      using peer = await one.connect(survivor.metadata);
      const read = async () => lost.read({ local, remote: victim.descriptor });
      await read();
      const failed = expect(untilFailure(read)).rejects.toMatchObject({ code: "peer_lost" });
      await victim.kill();
      await failed;
      await local.settled();
      await expect(read()).rejects.toMatchObject({ code: "peer_lost" });
      await peer.read({ local, remote: survivor.descriptor });
      expect(isAll(local.buffer!, 2)).toBe(true);
    });
  });
}

const isAll = (bytes: Uint8Array, value: number): boolean => Buffer.alloc(bytes.length, value).equals(bytes);

/** Repeats a transfer until it fails. */
async function untilFailure(transfer: () => Promise<unknown>): Promise<never> {
  while (true) await transfer();
}

/** Truncated, extended, and changed at each of some positions. */
function damage(bytes: Uint8Array): Uint8Array[] {
  const changed = Array.from({ length: bytes.length }, (_, at) => {
    const copy = Uint8Array.from(bytes);
    copy[at]! ^= 1 << (at % 8);
    return copy;
  });
  const cut = [0, 1, 4, 5, 9, bytes.length - 1].map((length) => bytes.subarray(0, length));
  return [...changed, ...cut, Buffer.concat([bytes, Buffer.alloc(1)])];
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
