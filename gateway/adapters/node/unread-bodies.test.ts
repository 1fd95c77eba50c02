import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startTestGateway, TestEngine, type TestGateway } from "./test-gateway.ts";

let engine: TestEngine;
let gateway: TestGateway;

beforeAll(async () => {
  engine = await TestEngine.start(["tiny"]);
});
afterAll(() => engine.close());
beforeEach(async () => {
  gateway = await startTestGateway([engine], { bodyLimit: 1000 });
});
afterEach(() => gateway.drain(0));

const BODY = Buffer.alloc(3_000_000, " ");
const CHAT = JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }] });
const head = (...lines: string[]) =>
  [
    "POST /v1/chat/completions HTTP/1.1",
    "host: localhost",
    "content-type: application/json",
    ...lines,
    "\r\n",
  ].join("\r\n");
const LENGTH = `content-length: ${BODY.length}`;

/** Sends the beginning of a request, and the rest once the gateway has answered and closed its side. */
async function sendLate(beginning: string, rest: Buffer) {
  const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
  const errors: Error[] = [];
  let text = "";
  socket
    .on("error", (error) => errors.push(error))
    .on("data", (data) => {
      text += data;
    });
  const closed = once(socket, "close");
  const ended = once(socket, "end");
  socket.write(beginning);
  await ended;
  await new Promise<void>((done) => socket.write(rest, () => done()));
  socket.end();
  await closed;
  return { text, errors };
}

const CHUNK = `${BODY.length.toString(16)}\r\n`;

test.each([
  ["that keeps its connection", head(LENGTH), BODY],
  ["that closes its connection", head(LENGTH, "connection: close"), BODY],
  [
    "whose body has no length",
    `${head("transfer-encoding: chunked")}${CHUNK}${BODY}\r\n`,
    Buffer.concat([Buffer.from(CHUNK), BODY, Buffer.from("\r\n0\r\n\r\n")]),
  ],
])("a client %s gets an answer that comes before its body has ended, and no reset", async (_, ...parts) => {
  const { text, errors } = await sendLate(...parts);
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect(text).toContain("body_too_large");
  expect(errors).toEqual([]);
});

test("what follows such a request on its connection is not served", async () => {
  const next = Buffer.from(head(`content-length: ${CHAT.length}`) + CHAT);
  const { text } = await sendLate(head(LENGTH), Buffer.concat([BODY, next]));
  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(engine.asked).toEqual([]);
});
