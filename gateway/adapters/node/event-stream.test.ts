import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Context } from "hono";
import { afterEach, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import type { EventStream } from "../../kernel/event-stream.ts";
import { nodeEventStreams } from "./event-stream.ts";

const POST = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n";
const openStream = nodeEventStreams(
  createLogger({ name: "test", level: "error", write: (line) => void logged.push(line) }),
);
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

let logged: string[] = [];
let server: Server;
let client: Socket;

afterEach(() => {
  logged = [];
  client.destroy();
  server.closeAllConnections();
  server.close();
});

/** Starts a server that opens a stream for each request, and a client that sends raw bytes. */
async function start(
  onStream: (stream: EventStream, request: IncomingMessage, response: ServerResponse) => void,
): Promise<void> {
  server = createServer((request, outgoing) => {
    const context = { env: { outgoing } } as unknown as Context;
    onStream(openStream(context, { "x-request-id": "req-1" }), request, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  client = connect({ port, host: "127.0.0.1" });
  await new Promise((resolve) => client.once("connect", resolve));
}

/** The received text, once `isWhole` accepts it. */
function receive(isWhole: (text: string) => boolean): Promise<string> {
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    client.on("data", (data) => {
      parts.push(data);
      const text = Buffer.concat(parts).toString();
      if (isWhole(text)) resolve(text);
    });
    client.on("close", () => reject(new Error(`closed after ${Buffer.concat(parts)}`)));
  });
}

const answers = (count: number) => (text: string) => text.split("\r\n0\r\n\r\n").length > count;

/** The chunks of one answer's body, split by their declared lengths; the last must be empty. */
function chunksOf(answer: string): string[] {
  let rest = Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4));
  const chunks: string[] = [];
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    const length = Number.parseInt(rest.toString("latin1", 0, lineEnd), 16);
    const end = lineEnd + 2 + length;
    expect(rest.toString("latin1", end, end + 2)).toBe("\r\n");
    if (length === 0) {
      expect(rest.length).toBe(end + 2);
      return chunks;
    }
    chunks.push(rest.toString("utf8", lineEnd + 2, end));
    rest = rest.subarray(end + 2);
  }
}

describe("Node's event stream", () => {
  test("the events of one turn form one chunk, whose length is in bytes", async () => {
    await start(async (stream) => {
      stream.write("data: a\n\n");
      await nextTurn();
      stream.write("data: ä😀\n\n");
      stream.write("data: b\n\n");
      await nextTurn();
      stream.write("data: last\n\n");
      stream.end();
    });
    const whole = receive(answers(1));
    client.write(POST);
    const answer = await whole;
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain("\r\ncontent-type: text/event-stream; charset=utf-8\r\n");
    expect(answer).toContain("\r\nx-request-id: req-1\r\n");
    expect(answer.match(/transfer-encoding: chunked/gi)).toHaveLength(1);
    expect(chunksOf(answer)).toEqual(["data: a\n\n", "data: ä😀\n\ndata: b\n\n", "data: last\n\n"]);
  });

  test.each([
    ["in the turn of its only event", ["data: a\n\n"]],
    ["without any event", []],
  ])("a stream may end %s", async (_, events) => {
    await start((stream) => {
      for (const event of events) stream.write(event);
      stream.end();
    });
    const whole = receive((text) => text.endsWith("0\r\n\r\n"));
    client.write(POST);
    expect(chunksOf(await whole)).toEqual(events);
  });

  test("a stream may end in a turn without an event", async () => {
    await start(async (stream) => {
      stream.write("data: a\n\n");
      await nextTurn();
      stream.end();
    });
    const whole = receive(answers(1));
    client.write(POST);
    expect(chunksOf(await whole)).toEqual(["data: a\n\n"]);
  });

  test("the connection stays open for the next request", async () => {
    let count = 0;
    await start(async (stream) => {
      stream.write(`data: ${++count}\n\n`);
      await nextTurn();
      stream.write("data: more\n\n");
      stream.end();
    });
    for (const number of [1, 2, 3]) {
      const whole = receive(answers(1));
      client.write(POST);
      expect(chunksOf(await whole)).toEqual([`data: ${number}\n\n`, "data: more\n\n"]);
      client.removeAllListeners("data");
    }
  });

  test("answers to pipelined requests are complete and in order", async () => {
    const streams: EventStream[] = [];
    await start(async (stream) => {
      streams.push(stream);
      if (streams.length < 2) return;
      // The second answer is ready while the first still holds the connection.
      const [first, second] = streams as [EventStream, EventStream];
      for (const turn of [1, 2, 3]) {
        first.write(`data: first ${turn}\n\n`);
        second.write(`data: second ${turn}\n\n`);
        await nextTurn();
      }
      second.end();
      await nextTurn();
      first.end();
    });
    const both = receive(answers(2));
    client.write(POST + POST);
    const [first, second] = (await both).split(/(?<=\r\n0\r\n\r\n)/) as [string, string];
    expect(chunksOf(first)).toEqual([1, 2, 3].map((turn) => `data: first ${turn}\n\n`));
    expect(chunksOf(second)).toEqual([1, 2, 3].map((turn) => `data: second ${turn}\n\n`));
  });

  test("an HTTP/1.0 client gets no chunks; its answer ends when the connection closes", async () => {
    await start(async (stream) => {
      stream.write("data: a\n\n");
      await nextTurn();
      stream.write("data: b\n\n");
      stream.end();
    });
    const parts: Buffer[] = [];
    client.on("data", (data) => parts.push(data));
    client.write("POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
    await new Promise((resolve) => client.once("end", resolve));
    const answer = Buffer.concat(parts).toString();
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(answer.slice(answer.indexOf("\r\n\r\n") + 4)).toBe("data: a\n\ndata: b\n\n");
  });

  test("a slow client applies backpressure, and loses nothing", async () => {
    const event = `data: ${"x".repeat(16 * 1024)}\n\n`;
    let heldBack = 0;
    let written = 0;
    await start(async (stream) => {
      const total = 16 * 1024 * 1024;
      while (written < total) {
        written += event.length;
        if (!stream.write(event)) {
          heldBack++;
          await new Promise<void>((resolve) => {
            stream.onWritable = resolve;
          });
        }
        await nextTurn();
      }
      stream.end();
    });
    client.pause();
    client.write(POST);
    while (heldBack === 0) await nextTurn();
    const parts: Buffer[] = [];
    const isWhole = new Promise<void>((resolve) => {
      client.on("data", (data) => {
        parts.push(data);
        if (data.toString("latin1").endsWith("0\r\n\r\n")) resolve();
      });
    });
    client.resume();
    await isWhole;
    const chunks = chunksOf(Buffer.concat(parts).toString());
    expect(chunks.join("").length).toBe(written);
    expect(chunks.every((text) => text === event)).toBe(true);
  });

  test("a client's disconnect is reported once; later writes are harmless", async () => {
    let aborted = 0;
    const ended = Promise.withResolvers<void>();
    await start(async (stream) => {
      stream.onAbort = () => aborted++;
      while (aborted === 0) {
        stream.write("data: a\n\n");
        await nextTurn();
      }
      stream.write("data: too late\n\n");
      stream.end();
      for (let turn = 0; turn < 10; turn++) await nextTurn();
      ended.resolve();
    });
    const some = receive((text) => text.includes("data: a"));
    client.write(POST);
    await some;
    client.destroy();
    await ended.promise;
    expect(aborted).toBe(1);
  });

  test("a stream that ended normally reports no abort when its connection closes", async () => {
    let aborted = 0;
    const closed = Promise.withResolvers<void>();
    await start((stream, _request, response) => {
      stream.onAbort = () => aborted++;
      response.on("close", () => closed.resolve());
      stream.write("data: a\n\n");
      stream.end();
    });
    const whole = receive(answers(1));
    client.write(POST);
    await whole;
    client.destroy();
    await closed.promise;
    await nextTurn();
    expect(aborted).toBe(0);
  });

  test("a write error ends only its own stream, and is logged once", async () => {
    const streams: EventStream[] = [];
    const aborted: number[] = [];
    const second = connect(await startPair(streams, aborted), "127.0.0.1");
    const parts: Buffer[] = [];
    const isWhole = new Promise<void>((resolve) => {
      second.on("data", (data) => {
        parts.push(data);
        if (data.toString("latin1").endsWith("0\r\n\r\n")) resolve();
      });
    });
    client.write(POST);
    await expect.poll(() => streams.length).toBe(1);
    second.write(POST);
    await expect.poll(() => streams.length).toBe(2);
    for (const stream of streams) stream.write("data: a\n\n");
    await nextTurn();
    for (const stream of streams) stream.write("data: b\n\n");
    await expect.poll(() => aborted).toEqual([0]);
    streams[1]!.write("data: c\n\n");
    streams[1]!.end();
    await isWhole;
    expect(chunksOf(Buffer.concat(parts).toString())).toEqual(["data: a\n\n", "data: b\n\n", "data: c\n\n"]);
    expect(logged).toHaveLength(1);
    second.destroy();
  });
});

/** A server whose first stream cannot be written to after its first event. @returns its port */
async function startPair(streams: EventStream[], aborted: number[]): Promise<number> {
  await start((stream, _request, response) => {
    const index = streams.push(stream) - 1;
    stream.onAbort = () => void aborted.push(index);
    const { socket } = response;
    if (index > 0 || socket === null) return;
    const { write } = socket;
    let writes = 0;
    socket.write = (...given: unknown[]) => {
      if (++writes > 1) throw new Error("no writing today");
      return Reflect.apply(write, socket, given) as boolean;
    };
  });
  return (server.address() as AddressInfo).port;
}
