import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAuthority, makeCertificate } from "../../scripts/testing/certificates.ts";
import { stall } from "../../scripts/testing/stall.ts";
import { openTransferAgent, type TransferTls } from "../index.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";
import { decodeMetadata, encodeMetadata } from "../wire/messages.ts";

/** Metadata whose TCP address has been changed. */
function forge(
  metadata: Uint8Array,
  change: (place: string, secret: Buffer) => [string, Uint8Array],
): Uint8Array {
  const decoded = decodeMetadata(metadata);
  const reader = new ByteReader(decoded.addresses.get("tcp")!, "The metadata");
  const [place, secret] = change(reader.text(), reader.bytes());
  const address = new ByteWriter().text(place).bytes(secret).finish();
  return encodeMetadata({ ...decoded, addresses: new Map([["tcp", address]]) });
}

describe("transfers over sockets", () => {
  it("refuse a peer with a wrong secret", async () => {
    await using one = await openTransferAgent({ kind: "tcp", name: "one" });
    await using other = await openTransferAgent({ kind: "tcp", name: "other" });
    const wrong = forge(other.metadata(), (place, secret) => [place, Buffer.alloc(secret.length)]);
    await expect(one.connect(wrong)).rejects.toMatchObject({ code: "refused" });
  });

  it("hang up on what is no peer", async () => {
    await using agent = await openTransferAgent({ kind: "tcp", name: "one" });
    let port = 0;
    forge(agent.metadata(), (place, secret) => {
      port = Number(place.split(" ")[0]);
      return [place, secret];
    });
    // A fetch before the greeting, and another protocol.
    for (const bytes of [
      Buffer.from([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.write(bytes);
      socket.resume();
      await once(socket, "close");
    }
  });

  it("lose a peer that accepts connections and says nothing", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    try {
      await using one = await openTransferAgent({ kind: "tcp", name: "one", stallTimeoutMs: 100 });
      const port = (silent.address() as AddressInfo).port;
      const metadata = forge(one.metadata(), (_, secret) => [`${port} 127.0.0.1`, secret]);
      await expect(one.connect(metadata)).rejects.toMatchObject({
        code: "peer_lost",
        message: /nothing for 100 ms/,
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  it("lose a peer that cannot be reached, and refuse one without a common kind", async () => {
    await using one = await openTransferAgent({ kind: "tcp", name: "one" });
    const gone = await openTransferAgent({ kind: "tcp", name: "gone" });
    const metadata = gone.metadata();
    await gone[Symbol.asyncDispose]();
    await expect(one.connect(metadata)).rejects.toMatchObject({ code: "peer_lost" });
    await using other = await openTransferAgent({ kind: "shared-memory", name: "other" });
    await expect(one.connect(other.metadata())).rejects.toThrow(
      "Agents one (tcp) and other (shared-memory), on this host, have no kind of transfer in common.",
    );
    const elsewhere = encodeMetadata({ ...decodeMetadata(other.metadata()), host: "elsewhere" });
    await using same = await openTransferAgent({ kind: "shared-memory", name: "same" });
    await expect(same.connect(elsewhere)).rejects.toMatchObject({ code: "refused" });
  });

  it.skipIf(process.platform !== "linux")(
    "leave no staging files, and remove those of processes that have died",
    async () => {
      const [namespace] = /\d+/.exec(readlinkSync("/proc/self/ns/pid"))!;
      const stale = `/dev/shm/stator-kv-${namespace}-4194305-test`; // no process has such a large id
      writeFileSync(stale, "");
      await using one = await openTransferAgent({ kind: "shared-memory", name: "one" });
      using peer = await one.connect(one.metadata());
      expect(peer.kind).toBe("shared-memory");
      const own = readdirSync("/dev/shm").filter(
        (name) => name.startsWith("stator-kv-") && name.includes(`-${process.pid}-`),
      );
      expect(own).toEqual([]);
      expect(readdirSync("/dev/shm").map((name) => `/dev/shm/${name}`)).not.toContain(stale);
    },
  );
});

describe("transfers over TLS", () => {
  let folder: string;
  let tls: TransferTls;
  let foreign: TransferTls;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "stator-transfer-tls-"));
    const read = async (name: string): Promise<TransferTls> => {
      const authority = await makeAuthority(folder, `${name}-authority`);
      const { cert, key } = await makeCertificate(folder, name, authority);
      const [certText, keyText, ca] = [cert, key, authority.cert].map((path) => readFileSync(path, "utf8"));
      return { cert: certText!, key: keyText!, ca: ca! };
    };
    [tls, foreign] = await Promise.all([read("own"), read("foreign")]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("move bytes between agents with certificates by one authority, and refuse all others", async () => {
    const open = (name: string, own?: TransferTls) =>
      openTransferAgent({
        kind: "tcp",
        name,
        ...(own && { tcp: { tls: own } }),
        stallTimeoutMs: 5_000 * stall(),
      });
    await using one = await open("one", tls);
    await using other = await open("other", tls);
    using remote = await other.allocate(3_000_000);
    remote.buffer!.fill(4);
    using local = await one.allocate(3_000_000);
    using peer = await one.connect(other.metadata());
    await peer.read({ local, remote: remote.descriptor() });
    expect(Buffer.alloc(3_000_000, 4).equals(local.buffer!)).toBe(true);
    await using stranger = await open("stranger", foreign);
    await using plain = await open("plain");
    for (const refused of [stranger, plain])
      await expect(refused.connect(other.metadata())).rejects.toMatchObject({ code: "peer_lost" });
  });
});
