import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
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
const head = (length: number, ...lines: string[]) =>
  [
    "POST /v1/chat/completions HTTP/1.1",
    "host: localhost",
    "content-type: application/json",
    `content-length: ${length}`,
    ...lines,
    "\r\n",
  ].join("\r\n");

/** Sends a request's head, and its body once the gateway has answered and closed its side. */
async function sendLate(lines: readonly string[], body: Buffer) {
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
  socket.write(head(BODY.length, ...lines));
  await ended;
  await new Promise<void>((done) => socket.write(body, () => done()));
  // The gateway has got it all once this fails or the connection is gone on both sides.
  socket.end();
  await closed;
  return { text, errors };
}

describe.each([
  ["whose client keeps the connection", []],
  ["whose client closes the connection", ["connection: close"]],
])("a request %s", (_, lines) => {
  test("that is refused before its body was sent has its answer, and no reset", async () => {
    const { text, errors } = await sendLate(lines, BODY);
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain("body_too_large");
    expect(errors).toEqual([]);
  });
});

test("what follows a refused request on its connection is not served", async () => {
  const asked = engine.asked.length;
  const { text } = await sendLate([], Buffer.concat([BODY, Buffer.from(head(CHAT.length) + CHAT)]));
  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(engine.asked.length).toBe(asked);
});
