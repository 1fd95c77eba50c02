import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { openTransferAgent } from "../index.ts";
import { transferSuite } from "../transfer.suite.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";
import { decodeDescriptor, decodeMetadata, encodeDescriptor, encodeMetadata } from "../wire/messages.ts";
import { nixlIsHere } from "./testing.ts";

transferSuite("nixl", nixlIsHere);

describe.skipIf(!nixlIsHere)("the NIXL addon", () => {
  it("lets a process exit in the middle of a transfer", async () => {
    const child = fork(join(import.meta.dirname, "testing-exit.ts"), { execArgv: [] });
    const [code, signal] = await once(child, "exit");
    expect({ code, signal }).toEqual({ code: 7, signal: null });
  });

  it("runs in a worker thread, also one that is terminated", async () => {
    const worker = new Worker(new URL("testing-exit.ts", import.meta.url), { argv: ["stay"] });
    await once(worker, "message");
    await worker.terminate();
    await using agent = await openTransferAgent({ kind: "nixl", name: "main" });
    using memory = await agent.allocate(10);
    expect(memory.length).toBe(10);
  });

  it("registers memory by address, and says if this machine has no such memory", async () => {
    await using agent = await openTransferAgent({ kind: "nixl", name: "addresses" });
    const device = { memory: "device", address: 0x7f00_0000_0000n, length: 4096, deviceId: 0 } as const;
    await expect(agent.register(device)).rejects.toMatchObject({ code: "unavailable" });
    await expect(agent.register({ ...device, address: 0n })).rejects.toMatchObject({ code: "invalid" });
  });

  it("says what is wrong with a library", async () => {
    const open = (library: string) => openTransferAgent({ name: "wrong", nixl: { library } });
    await expect(open("/nonexistent.so")).rejects.toMatchObject({ code: "unavailable" });
    const addon = join(import.meta.dirname, "../../dist/native/nixl.node");
    await expect(open(addon)).rejects.toThrow("has no function nixl_capi_create_configured_agent");
    await expect(open(import.meta.filename)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("works with a peer that has only sockets, and says which kind it uses", async () => {
    await using agent = await openTransferAgent({ name: "auto" });
    expect(agent).toMatchObject({ kind: "nixl", choice: expect.stringContaining("NIXL_PREFIX") });
    for (const kind of ["shared-memory", "tcp", "nixl"] as const) {
      await using other = await openTransferAgent({ kind, name: "other" });
      using remote = await other.allocate(100);
      remote.buffer!.fill(5);
      using local = await agent.allocate(100);
      using peer = await agent.connect(other.metadata());
      await peer.read({ local, remote: remote.descriptor() });
      expect([peer.kind, local.buffer![99]]).toEqual([kind, 5]);
      using back = await other.connect(agent.metadata());
      await back.write({ local: remote, remote: local.descriptor() });
      expect(back.kind).toBe(kind);
    }
  });

  it("survives metadata with a right checksum and nonsense for NIXL", async () => {
    await using agent = await openTransferAgent({ kind: "nixl", name: "one" });
    await using other = await openTransferAgent({ kind: "nixl", name: "other" });
    const metadata = decodeMetadata(other.metadata());
    const own = new ByteReader(metadata.addresses.get("nixl")!, "The metadata");
    const [id, blob] = [own.text(), own.bytes()];
    for (const wrong of [Buffer.alloc(0), Buffer.from("nonsense"), blob.subarray(0, blob.length / 2)]) {
      const address = new ByteWriter().text(id).bytes(wrong).finish();
      const forged = encodeMetadata({ ...metadata, addresses: new Map([["nixl", address]]) });
      await expect(agent.connect(forged)).rejects.toMatchObject({ code: "invalid" });
    }
    using local = await agent.allocate(100);
    using remote = await other.allocate(100);
    using peer = await agent.connect(other.metadata());
    const descriptor = decodeDescriptor(remote.descriptor());
    const token = new ByteReader(descriptor.tokens.get("nixl")!, "The descriptor");
    const [type, base, device, keyAddress, memory] = [
      token.u8(),
      token.u64(),
      token.u64(),
      token.u64(),
      token.bytes(),
    ];
    const forge = (address: bigint, at: bigint) => {
      const forged = new ByteWriter().u8(type).u64(address).u64(device).u64(at).bytes(memory).finish();
      return encodeDescriptor({ ...descriptor, tokens: new Map([["nixl", forged]]) });
    };
    await peer.read({ local, remote: forge(base, keyAddress) });
    await expect(peer.read({ local, remote: forge(base + 1n, keyAddress) })).rejects.toMatchObject({
      code: "refused",
    });
    await expect(peer.read({ local, remote: forge(4096n, keyAddress) })).rejects.toMatchObject({
      code: "refused",
    });
    await expect(peer.read({ local, remote: forge(base, 4096n) })).rejects.toMatchObject({ code: "refused" });
  });
});
