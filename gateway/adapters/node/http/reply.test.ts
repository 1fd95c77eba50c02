import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { NodeWireReply } from "./reply.ts";

const UNREAD_MS = 60_000;
const KEEP_ALIVE_MS = 70_000;
const HEAD = {
  status: 200,
  headers: [],
  contentLength: undefined,
  hasBody: true,
  isEncoded: false,
  isEventStream: true,
};

const EVENT = Buffer.from(`data: ${"x".repeat(10_000)}\n\n`);

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A request that the test answers; its client reads nothing until it is resumed. */
async function asked(): Promise<{ outgoing: ServerResponse; server: Socket; client: Socket }> {
  const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }).listen(0, "127.0.0.1");
  http.timeout = UNREAD_MS;
  await once(http, "listening");
  const request = once(http, "request");
  const client = connect((http.address() as AddressInfo).port, "127.0.0.1").pause();
  ends.push(
    () => client.destroy(),
    () => http.close(),
  );
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [, outgoing] = (await request) as [unknown, ServerResponse];
  return { outgoing, server: outgoing.socket!, client };
}

test("a client's idle time is measured before and after a stream, and while it leaves data unread", async () => {
  const { outgoing, server, client } = await asked();
  expect(server.timeout).toBe(UNREAD_MS);
  const reply = new NodeWireReply(outgoing, HEAD, []);
  reply.write(EVENT, false);
  expect(server.timeout).toBe(0);
  while (reply.write(EVENT, false));
  expect(server.timeout).toBe(UNREAD_MS);
  const writable = new Promise<void>((resolve) => {
    reply.onWritable = resolve;
  });
  client.resume();
  await writable;
  expect(server.timeout).toBe(0);
  reply.finish(EVENT, false);
  await once(outgoing, "close");
  expect(server.timeout).toBeGreaterThanOrEqual(KEEP_ALIVE_MS);
});

test("it is still measured after a stream that ended before its client had read everything", async () => {
  const { outgoing, server, client } = await asked();
  const reply = new NodeWireReply(outgoing, HEAD, []);
  while (reply.write(EVENT, false));
  reply.finish(EVENT, false);
  expect(server.timeout).toBe(UNREAD_MS);
  const whenWritable = new Promise((resolve) => {
    reply.onWritable = () => resolve(server.timeout);
  });
  const closed = once(outgoing, "close");
  client.resume();
  expect(await whenWritable).toBeGreaterThanOrEqual(UNREAD_MS);
  await closed;
  expect(server.timeout).toBeGreaterThanOrEqual(KEEP_ALIVE_MS);
});
