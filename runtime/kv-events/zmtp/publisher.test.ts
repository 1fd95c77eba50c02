import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { greeting, readyCommand } from "./framing.ts";
import { ZmtpPublisher, type ZmtpPublisherOptions } from "./publisher.ts";
import { TestPeer } from "./testing-peer.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const open: { close(): void }[] = [];

afterEach(() => {
  for (const part of open.splice(0)) part.close();
});

function keep<Part extends { close(): void }>(part: Part): Part {
  open.push(part);
  return part;
}

const publish = async (options: Partial<ZmtpPublisherOptions> = {}) =>
  keep(
    await ZmtpPublisher.bind({
      endpoint: "tcp://127.0.0.1:0",
      topic: bytes("kv@a"),
      highWaterMark: 1_000,
      highWaterBytes: 2 ** 26,
      ...options,
    }),
  );

const greet = async (publisher: ZmtpPublisher, type = "SUB", minor = 1) =>
  keep(await TestPeer.greeted(publisher.endpoint, type, minor));

async function subscribed(publisher: ZmtpPublisher, topic = ""): Promise<TestPeer> {
  const peer = await greet(publisher);
  peer.send(`\u0001${topic}`);
  await peer.settle();
  return peer;
}

/** The name of the loopback interface. */
const loopback = (family: string) =>
  Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((one) => one.internal && one.family === family),
  )?.[0];

const isMessage = (received: string) => received.startsWith("kv@a,");
let lasts = 0;
/** The messages that a peer has received, flushed by sending one more. */
async function messages(publisher: ZmtpPublisher, peer: TestPeer): Promise<string[]> {
  const last = `kv@a,last ${lasts++}`;
  publisher.send([bytes(last.slice(5))]);
  await peer.until((received) => received === last);
  return peer.received
    .filter((received) => isMessage(received) && !received.includes(",last"))
    .map((received) => received.slice(5));
}

describe.each([
  ["messages, as ZMTP 3.0 has it", 0, "message"],
  ["messages, as ZMTP 3.1 allows", 1, "message"],
  ["commands, as ZMTP 3.1 has it", 1, "command"],
])("subscriptions by %s", (_what, minor, way) => {
  const change = (peer: TestPeer, isWanted: boolean, topic: string) => {
    if (way === "command") peer.command(isWanted ? "SUBSCRIBE" : "CANCEL", topic);
    else peer.send(`${isWanted ? "\u0001" : "\0"}${topic}`);
    return peer.settle();
  };

  test("match topics by prefix, until they are cancelled", async () => {
    const publisher = await publish();
    const peer = await greet(publisher, "SUB", minor);
    expect(peer.received).toEqual(["PUB"]);
    publisher.send([bytes("unwanted")]);
    for (const other of ["kv@b", "kv@a ", "KV", "@a", "kv@a".repeat(1_000)]) await change(peer, true, other);
    publisher.send([bytes("not this")]);
    expect(publisher.subscribers).toBe(0);
    await change(peer, true, "kv@");
    publisher.send([bytes("1")]);
    await change(peer, true, "kv@a");
    await change(peer, true, "kv@a");
    await change(peer, false, "kv@");
    await change(peer, false, "k");
    publisher.send([bytes("2"), bytes("and more")]);
    await peer.until((received) => received === "kv@a,2,and more");
    await change(peer, false, "kv@a");
    expect(publisher.subscribers).toBe(0);
    publisher.send([bytes("unwanted")]);
    await change(peer, true, "");
    expect(await messages(publisher, peer)).toEqual(["1", "2,and more"]);
  });
});

describe("a PUB socket", () => {
  test("sends messages of any length", async () => {
    const publisher = await publish();
    const peers = [await subscribed(publisher), await subscribed(publisher, "kv")];
    const lengths = [0, 1, 255, 256, 16_384, 16_385, 40_000, 70_000, 3_000_000, 0, 5];
    for (const [turn, length] of [...lengths, ...lengths].entries()) {
      publisher.send([bytes("x"), Buffer.alloc(length, turn)]);
      if (turn % 3 === 0) await peers[0]!.settle();
    }
    for (const peer of peers) {
      const got = await messages(publisher, peer);
      expect(got.map((message) => message.length - 2)).toEqual([...lengths, ...lengths]);
      for (const [turn, message] of got.entries())
        expect(message.slice(2).replaceAll(String.fromCharCode(turn), "")).toBe("");
    }
  });

  test("can be bound to interfaces and to a path", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stator-zmtp-"));
    try {
      for (const [endpoint, found] of [
        ["tcp://*:*", /^tcp:\/\/0\.0\.0\.0:[1-9]\d*$/],
        [`tcp://${loopback("IPv4")}:0`, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/],
        // Not every machine has IPv6.
        ...(loopback("IPv6") ? [["tcp://[::1]:0", /^tcp:\/\/\[::1\]:[1-9]\d*$/] as const] : []),
        ["tcp://localhost:0", /^tcp:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d*$/],
        [`ipc://${folder}/kv`, /^ipc:.*\/kv$/],
      ] as const) {
        const publisher = await publish({ endpoint });
        expect(publisher.endpoint).toMatch(found);
        await messages(publisher, await subscribed(publisher));
      }
    } finally {
      for (const part of open.splice(0)) part.close();
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    "http://127.0.0.1:1",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:65536",
    "tcp://:1",
    "tcp://::1:1",
    "ipc://",
  ])("is refused at %s", async (endpoint) => {
    await expect(publish({ endpoint })).rejects.toThrow(
      new RangeError(`${endpoint} is neither tcp://HOST:PORT nor ipc://PATH.`),
    );
  });

  test("reports why it cannot be bound", async () => {
    const { endpoint } = await publish();
    await expect(publish({ endpoint })).rejects.toThrow("the address is in use");
    await expect(publish({ endpoint: "tcp://192.0.2.1:0" })).rejects.toThrow(
      "this machine does not have that address",
    );
  });

  test("answers heartbeats, and disconnects a peer silent for longer than its announced TTL", async () => {
    const publisher = await publish();
    const peer = await subscribed(publisher);
    peer.command("PING", "\0\u0001context");
    await peer.until((received) => received === "PONG context");
    await peer.closed;
    await expect.poll(() => publisher.subscribers).toBe(0);
  });

  test("gives sockets of incompatible types the reason for rejecting them", async () => {
    const publisher = await publish();
    for (const type of ["PUB", "DEALER", ""]) {
      const peer = await greet(publisher, type);
      await peer.until((received) => received.includes("A PUB socket cannot talk to"));
      await peer.closed;
    }
  });

  test("buffers for a slow subscriber up to the limit, and no more", async () => {
    const publisher = await publish({ highWaterMark: 100 });
    const slow = await subscribed(publisher);
    const quick = await subscribed(publisher);
    slow.socket.pause();
    const payload = bytes(`,${"x".repeat(50_000)}`);
    for (let sequence = 0; sequence < 1_000; sequence++) {
      publisher.send([bytes(String(sequence)), payload]);
      if (sequence % 50 === 0) await quick.until((received) => received.startsWith(`kv@a,${sequence},`));
    }
    const sequences = async (peer: TestPeer) => {
      const payloads = await messages(publisher, peer);
      for (const one of payloads) expect(one).toHaveLength(one.indexOf(",") + 50_002);
      return payloads.map((one) => Number.parseInt(one, 10));
    };
    expect(await sequences(quick)).toEqual(Array.from({ length: 1_000 }, (_, sequence) => sequence));
    slow.socket.resume();
    const got = await sequences(slow);
    // The system's own buffers come on top.
    expect(got.length).toBeLessThan(700);
    expect(got[0]).toBe(0);
    const gaps = got.filter((sequence, index) => index > 0 && sequence !== got[index - 1]! + 1);
    expect(gaps.length).toBeGreaterThan(0);
    expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
    // It gets new messages again at once.
    publisher.send([bytes("after")]);
    await slow.until((received) => received === "kv@a,after");
  });

  test("drops the backlog of a subscriber that lags by too many bytes", async () => {
    const publisher = await publish({ highWaterBytes: 2_000_000 });
    const slow = await subscribed(publisher);
    slow.socket.pause();
    for (let sequence = 0; sequence < 20; sequence++) {
      publisher.send([Buffer.alloc(1_000_000, 65 + sequence)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    slow.socket.resume();
    expect((await messages(publisher, slow)).length).toBeLessThan(18);
  });

  test("does not buffer answers for a peer that does not read", async () => {
    const publisher = await publish();
    const rude = await subscribed(publisher);
    rude.socket.pause();
    const questions = 400;
    for (let turn = 0; turn < questions; turn++) rude.command("PING", `\0\0${"x".repeat(60_000)}`);
    rude.send("\0");
    // Everything has been read once its subscription is gone.
    await expect.poll(() => publisher.subscribers).toBe(0);
    rude.socket.resume();
    rude.send("\u0001");
    await expect.poll(() => publisher.subscribers).toBe(1);
    await messages(publisher, rude);
    const answers = rude.received.filter((received) => received.startsWith("PONG x")).length;
    expect(answers).toBeGreaterThan(0);
    expect(answers).toBeLessThan(questions);
  });
});

describe("peers that misbehave", () => {
  const opening = (type = "SUB") => Buffer.concat([greeting(), readyCommand(type)]);

  test.each([
    ["speak HTTP", bytes("GET / HTTP/1.1\r\n\r\n")],
    [
      "greet in an old version",
      Buffer.concat([Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 1, 127, 1]), Buffer.alloc(53)]),
    ],
    ["announce a giant frame", Buffer.concat([opening(), Buffer.from([2, 0, 0, 0, 0, 0x7f, 255, 255, 255])])],
    ["never end a message", Buffer.concat([opening(), Buffer.alloc(100_000, Buffer.from([1, 0]))])],
    ["greet twice", Buffer.concat([opening(), greeting()])],
  ])("are closed when they %s", async (_what, nonsense) => {
    const publisher = await publish();
    const good = await subscribed(publisher);
    const bad = keep(new TestPeer(publisher.endpoint));
    bad.socket.write(nonsense);
    await bad.closed;
    expect(await messages(publisher, good)).toEqual([]);
  });

  test.each([
    ["before they greet", Buffer.alloc(0)],
    ["in the middle of the greeting", greeting().subarray(0, 30)],
    ["in the middle of a frame", Buffer.concat([opening(), Buffer.from([0, 10, 1])])],
    ["with a subscription", Buffer.concat([opening(), Buffer.from([0, 1, 1])])],
  ])("are released when they end %s", async (_what, start) => {
    const publisher = await publish();
    const bad = keep(new TestPeer(publisher.endpoint));
    // Otherwise the other direction would stay open.
    bad.socket.end(start);
    await bad.closed;
    await expect.poll(() => publisher.subscribers).toBe(0);
    expect(await messages(publisher, await subscribed(publisher))).toEqual([]);
  });

  test("never affect the others, whatever they send", async () => {
    const publisher = await publish();
    const good = await subscribed(publisher);
    const starts = fc.constantFrom(Buffer.alloc(0), greeting(), opening());
    await fc.assert(
      fc.asyncProperty(starts, fc.uint8Array({ minLength: 1, maxLength: 500 }), async (start, noise) => {
        const bad = keep(new TestPeer(publisher.endpoint));
        bad.socket.end(Buffer.concat([start, noise]));
        publisher.send([bytes("meanwhile")]);
        await bad.closed;
      }),
      { numRuns: 200 },
    );
    expect(new Set(await messages(publisher, good))).toEqual(new Set(["meanwhile"]));
    expect(publisher.subscribers).toBe(1);
  });
});
