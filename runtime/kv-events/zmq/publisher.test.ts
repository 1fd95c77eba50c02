import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import * as zmq from "zeromq";
import { encodeKvEvents } from "../codec.ts";
import { connectPlace } from "../zmtp/endpoint.ts";
import { TestPeer } from "../zmtp/testing-peer.ts";
import { decodeSequence, emptyFrame, encodeSequence, endMarker } from "./frames.ts";
import { Replay } from "./replay.ts";
import { bytes, closeAll, follow, keep, publish, reach, scripted, text } from "./testing.ts";

afterEach(closeAll);

describe("KV events over ZeroMQ", () => {
  test("arrive from the first one on, then live, each once", async () => {
    const publisher = await publish();
    publisher.publish(bytes("a"));
    publisher.publish(bytes("b"));
    const follower = follow(publisher);
    await follower.until("1:b");
    await reach(publisher, follower.until, "c");
    await reach(publisher, follower.until, "d");
    expect(follower.log).toEqual(["0:a", "1:b", "2:c", "3:d"]);
    expect(follower.subscriber.isConnected).toBe(true);
    expect(follower.subscriber.counters).toMatchObject({ applied: 4, gaps: 0, forgotten: 0, malformed: 0 });
  });

  test("continue after an error of the receiver, which forgets everything", async () => {
    const faults: unknown[] = [];
    const publisher = await publish();
    publisher.publish(bytes("a"));
    const log: string[] = [];
    const follower = follow(publisher, {
      onPayload(payload) {
        log.push(text(payload));
        if (text(payload) === "b") throw new TypeError("a fault of the receiver's");
      },
      onForget: () => void log.push("forget"),
      onFault: (error) => void faults.push(error),
    });
    await expect.poll(() => log).toEqual(["a"]);
    publisher.publish(bytes("b"));
    publisher.publish(bytes("c"));
    await expect.poll(() => log).toEqual(["a", "b", "forget", "c"]);
    expect(faults).toEqual([new TypeError("a fault of the receiver's")]);
    expect(follower.subscriber.counters).toMatchObject({ applied: 2, malformed: 1 });
  });

  test("begin with the oldest kept batch", async () => {
    const publisher = await publish({ replayBatches: 2 });
    for (const name of ["a", "b", "c", "d"]) publisher.publish(bytes(name));
    const follower = follow(publisher);
    await follower.until("3:d");
    await reach(publisher, follower.until, "e");
    expect(follower.log).toEqual(["2:c", "3:d", "4:e"]);
    expect(follower.subscriber.counters).toMatchObject({ gaps: 0, forgotten: 0 });
  });

  test("go to many subscribers, by topic", async () => {
    const publisher = await publish({ topic: "kv@a" });
    const followers = Array.from({ length: 5 }, () => follow(publisher, { topic: "kv@" }));
    publisher.publish(bytes("a"));
    await Promise.all(followers.map(({ until }) => reach(publisher, until, "b")));
    for (const { log } of followers) expect(log.slice(0, 2)).toEqual(["0:a", "1:b"]);
  });

  test("have vLLM's frames, live and replayed", async () => {
    const publisher = await publish({ topic: "kv" });
    const subscriber = keep(new zmq.Subscriber({ linger: 0 }));
    subscriber.subscribe("kv");
    subscriber.connect(publisher.endpoint);
    await expect.poll(() => publisher.subscribers).toBe(1);
    const payload = encodeKvEvents({ timestamp: 1.5, events: [{ type: "cleared" }], dataParallelRank: 2 });
    publisher.publish(payload);
    const hex = (frames: Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString("hex"));
    const batch = ["6b76", "0000000000000000", Buffer.from(payload).toString("hex")];
    expect(hex(await subscriber.receive())).toEqual(batch);
    const request = keep(new zmq.Request({ linger: 0 }));
    request.connect(publisher.replayEndpoint!);
    // Such a socket accepts only one message as an answer.
    await request.send(encodeSequence(0));
    expect(hex(await request.receive())).toEqual(batch);
    await request.send(encodeSequence(1));
    expect(hex(await request.receive())).toEqual(["", "ffffffffffffffff", ""]);
  });

  test("reach a ZeroMQ socket by any of its topics, until it unsubscribes from the last", async () => {
    const publisher = await publish({ topic: "kv@a" });
    const subscriber = keep(new zmq.Subscriber({ linger: 0 }));
    subscriber.connect(publisher.endpoint);
    subscriber.subscribe("other", "kv", "kv@", "kv@");
    const next = async () => text((await subscriber.receive())[2]!);
    await expect.poll(() => publisher.subscribers).toBe(1);
    publisher.publish(bytes("a"));
    expect(await next()).toBe("a");
    subscriber.unsubscribe("kv", "kv@");
    publisher.publish(bytes("b"));
    expect(await next()).toBe("b");
    subscriber.unsubscribe("kv@");
    await expect.poll(() => publisher.subscribers).toBe(0);
    publisher.publish(bytes("c"));
    subscriber.subscribe("");
    await expect.poll(() => publisher.subscribers).toBe(1);
    publisher.publish(bytes("d"));
    expect(await next()).toBe("d");
  });

  test("are not replayed for a malformed request, but for the next valid one", async () => {
    const publisher = await publish();
    publisher.publish(bytes("a"));
    const dealer = keep(new zmq.Dealer({ linger: 0 }));
    dealer.connect(publisher.replayEndpoint!);
    await dealer.send(["nonsense"]);
    await dealer.send([emptyFrame, "12345678901"]);
    await dealer.send([emptyFrame, endMarker]);
    await dealer.send([emptyFrame, encodeSequence(0)]);
    expect((await dealer.receive()).map(String)).toEqual(["", "", "\0\0\0\0\0\0\0\0", "a"]);
  });

  test("an endpoint in use is named", async () => {
    const { endpoint } = await publish();
    await expect(publish({ endpoint })).rejects.toThrow(`Cannot publish KV events on ${endpoint}`);
  });

  test("need another address than replays", async () => {
    const first = await publish();
    const endpoint = first.replayEndpoint!;
    await expect(publish({ replayEndpoint: endpoint })).rejects.toThrow(
      `Cannot publish KV events on ${endpoint}: the address is in use.`,
    );
  });

  test("come with the heartbeats that a ZeroMQ socket requests", async () => {
    const publisher = await publish();
    const answered = Promise.withResolvers<void>();
    let answers = 0;
    const between = keep(
      createServer((socket) => {
        const onward = keepSocket(connect(connectPlace(publisher.endpoint)));
        keepSocket(socket).pipe(onward).pipe(socket);
        onward.on("data", (bytes) => {
          if (bytes.includes("PONG") && ++answers === 5) answered.resolve();
        });
      }).listen(0, "127.0.0.1"),
    );
    await once(between, "listening");
    const subscriber = keep(
      new zmq.Subscriber({ linger: 0, heartbeatInterval: 5, heartbeatTimeout: 60_000 }),
    );
    const disconnected = new Promise((resolve) => subscriber.events.on("disconnect", resolve));
    subscriber.connect(`tcp://127.0.0.1:${(between.address() as AddressInfo).port}`);
    subscriber.subscribe();
    await Promise.race([answered.promise, disconnected]);
    expect(answers).toBe(5);
    publisher.publish(bytes("a"));
    expect(text((await subscriber.receive())[2]!)).toBe("a");
  });
});

function keepSocket(socket: Socket): Socket {
  keep({ close: () => socket.destroy() });
  return socket.on("error", () => {});
}

describe.each([
  ["our", async () => publish({ topic: "kv" })],
  ["a scripted ZeroMQ", scripted],
])("what %s publisher replays", (_whose, open) => {
  /** A publisher with three batches. */
  async function filled() {
    const publisher = await open();
    for (const [sequence, name] of ["a", "b", "c"].entries()) {
      if ("publish" in publisher) publisher.publish(bytes(name));
      else publisher.past.set(sequence, name);
    }
    return publisher.replayEndpoint!;
  }

  const ways: [name: string, ask: (endpoint: string, from: number) => Promise<string[]>][] = [
    ["our client", askOurs],
    ["a ZeroMQ DEALER", askTheirs],
  ];

  test.each(ways)("%s gets, from any batch on", async (_name, ask) => {
    const endpoint = await filled();
    expect(await ask(endpoint, 0)).toEqual(["0:a", "1:b", "2:c"]);
    expect(await ask(endpoint, 2)).toEqual(["2:c"]);
    expect(await ask(endpoint, 3)).toEqual([]);
    expect(await ask(endpoint, 1_000_000)).toEqual([]);
  });

  async function askOurs(endpoint: string, from: number): Promise<string[]> {
    const got: string[] = [];
    const outcome = await new Replay(endpoint, 60_000).run(from, ({ sequence, payload }) => {
      got.push(`${sequence}:${text(payload)}`);
      return "continue";
    });
    expect(outcome).toBe("complete");
    return got;
  }

  async function askTheirs(endpoint: string, from: number): Promise<string[]> {
    const dealer = keep(new zmq.Dealer({ linger: 0 }));
    dealer.connect(endpoint);
    await dealer.send([emptyFrame, encodeSequence(from)]);
    const got: string[] = [];
    for await (const frames of dealer) {
      const [sequence, payload] = frames.slice(-2);
      if (sequence!.equals(endMarker)) break;
      got.push(`${decodeSequence(sequence)}:${text(payload!)}`);
    }
    return got;
  }
});

describe("a replay", () => {
  const end = `,,${"\xff".repeat(8)},`;
  /** A request for all batches. */
  const request = ["", "\0".repeat(8)] as const;
  const sequences = (received: readonly string[]) =>
    received.map((one) => (one === end ? "end" : decodeSequence(Buffer.from(one.slice(2, 10), "latin1"))));
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

  /** A client that does not read its answer. */
  async function slowClient(endpoint: string) {
    const client = keep(await TestPeer.greeted(endpoint, "DEALER"));
    client.socket.pause();
    return client;
  }

  async function askAll(endpoint: string, count: number): Promise<void> {
    let got = 0;
    const outcome = await new Replay(endpoint, 60_000).run(0, () => {
      got++;
      return "continue";
    });
    expect([outcome, got]).toEqual(["complete", count]);
  }

  test("sends a slow client everything it requested, in order, without delaying others", async () => {
    const publisher = await publish();
    for (let n = 0; n < 300; n++) publisher.publish(Buffer.alloc(20_000, "x"));
    const slow = await slowClient(publisher.replayEndpoint!);
    for (let turn = 0; turn < 10; turn++) slow.send(...request);
    await askAll(publisher.replayEndpoint!, 300);
    slow.socket.resume();
    await expect.poll(() => slow.received.filter((received) => received === end).length).toBe(10);
    const once = [...range(0, 300), "end"];
    expect(sequences(slow.received.slice(1))).toEqual(Array.from({ length: 10 }, () => once).flat());
  });

  test("omits batches that are dropped while a client reads slowly", async () => {
    const publisher = await publish({ replayBatches: 500 });
    for (let n = 0; n < 500; n++) publisher.publish(Buffer.alloc(50_000, "x"));
    const slow = await slowClient(publisher.replayEndpoint!);
    slow.send(...request);
    // Its request has been read once a later one of another client is answered.
    await askAll(publisher.replayEndpoint!, 500);
    for (let n = 500; n < 950; n++) publisher.publish(bytes("new"));
    slow.socket.resume();
    await slow.until((received) => received === end);
    const got = sequences(slow.received.slice(1));
    const gap = got.findIndex((sequence, index) => sequence !== index);
    // The batches in flight, and then the last fifty of its request.
    expect(gap).toBeGreaterThan(0);
    expect(got.slice(gap)).toEqual([...range(450, 500), "end"]);
  });
});
