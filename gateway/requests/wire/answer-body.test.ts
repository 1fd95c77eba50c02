import { describe, expect, test } from "vitest";
import { EventBoundary } from "../../wire/event-boundary.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { Placement } from "../placement.ts";
import { AnswerBody } from "./answer-body.ts";
import type { WireJob } from "./job.ts";

const HEAD = {
  status: 200,
  headers: [["content-type", "text/event-stream"]],
  isEventStream: true,
  isEncoded: false,
  hasBody: true,
} as unknown as HttpHead;

const JOB = {
  events: "completions",
  choices: 1,
  model: { textTokens: { bytesPerToken: 4 } },
} as unknown as WireJob;

/** A body that reaches the client as the bytes in `received`. */
function answerBody() {
  const received: Buffer[] = [];
  const write = (wire: Uint8Array) => received.push(Buffer.from(wire)) > 0;
  const reply = { write, finish: write, isHolding: false } as unknown as WireReply;
  const body = new AnswerBody(JOB, { placement: () => ({}) as Placement, reply: () => reply });
  body.begin(HEAD);
  return { body, received: () => Buffer.concat(received).toString() };
}

const choice = { index: 0, text: "One", finish_reason: "stop" };
const document = JSON.stringify({ id: "c", choices: [choice] }).replaceAll(",", ",\n\n");
const events = `data: ${JSON.stringify({ choices: [choice] })}\n\ndata: [DONE]\n\n`;

describe.each([
  ["a JSON document with line breaks", `\n${document}\n`],
  ["a JSON document behind blanks", ` \r\n\n\r\n\t\n\n${document}`],
  ["an event stream behind empty lines", `\n\r\n\n${events}`],
  ["an event stream", events],
])("%s that is declared as an event stream", (_what, sent) => {
  // As a transport cuts it: the first piece ends with an event or an empty line.
  const cuts = [...sent].map((_, at) => new EventBoundary().push(Buffer.from(sent.slice(0, at + 1))));

  test.each([...new Set(cuts)])("passes on unchanged if its first piece has %i bytes", (cut) => {
    const { body, received } = answerBody();
    if (cut > 0) body.take(Buffer.from(sent.slice(0, cut)), false);
    body.finish(Buffer.from(sent.slice(cut)), false);
    expect(body.fault).toBe("");
    expect(received()).toBe(sent);
  });

  test("passes on in HTTP chunks of a byte each", () => {
    const { body, received } = answerBody();
    body.take(Buffer.from([...sent].map((byte) => `1\r\n${byte}\r\n`).join("")), true);
    body.finish(Buffer.from("0\r\n\r\n"), true);
    expect(body.fault).toBe("");
    expect(received().replaceAll(/1\r\n(.)\r\n|0\r\n\r\n/gs, "$1")).toBe(sent);
  });
});

test("a stream of nothing but blanks can be asked of another engine", () => {
  const { body, received } = answerBody();
  body.take(Buffer.from("\n"), false);
  body.finish(Buffer.from("\r\n"), false);
  expect(body.isBroken).toBe(true);
  expect(body.hasBegun).toBe(false);
  expect(received()).toBe("");
});
