import { expect, test } from "vitest";
import { inspectEvents } from "./event-inspection.ts";

const look = (text: string) => inspectEvents(new TextEncoder().encode(text));
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const token = 'data: {"id":"1","choices":[]}\n\n';

test.each([
  ["an event", token],
  ["an event in a chunk", chunk(token)],
  ["several", chunk(token) + chunk(token) + chunk("data: [DONE]\n\n")],
  ["the end", `${chunk("data: [DONE]\n\n")}0\r\n\r\n`],
  ["the last chunk alone", "0\r\n\r\n"],
  ["line ends of two characters", 'data: {"id":1}\r\n\r\n'],
  ["no space behind the colon", 'data:{"id":1}\n\n'],
  ["comments and other fields", ': ping\n\nevent: message\nid: 7\nretry: 10\ndata: {"id":1}\n\n'],
  ["text that looks like an error", 'data: {"id":"1","text":"data: {\\"error\\""}\n\n'],
  ["nothing", ""],
])("%s is sound", (_what, text) => {
  expect(look(text)).toBe("sound");
});

test.each([
  ["alone", 'data: {"error":{"message":"x"}}\n\n'],
  ["behind others", chunk(token) + chunk('data: {"error":{}}\n\n')],
])("sees an error, %s", (_where, text) => {
  expect(look(text)).toBe("an error");
});

test.each([
  ["no JSON", "data: hello\n\n"],
  ["JSON that is cut off", 'data: {"id":"1","cho\n\n'],
  ["garbage behind an event", chunk(token) + chunk("data: {this is no JSON\n\n")],
  ["what is no line of an event", "<html>\n\n"],
  ["bytes without a line end", "\u0000\u0001"],
])("sees garbage: %s", (_what, text) => {
  expect(look(text)).toBe("garbage");
});
