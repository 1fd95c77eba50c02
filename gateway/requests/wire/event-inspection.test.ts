import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventInspection } from "./event-inspection.ts";
import { event, readEvents } from "./event-text.ts";
import { TokenEstimate } from "./token-estimate.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const chunk = (text: string) => `${encode(text).length.toString(16)}\r\n${text}\r\n`;
const token = (text = "x") => event(JSON.stringify({ id: "1", choices: [{ index: 0, text }] }));
const tokens = token().repeat(6);

/** Inspects a stream that begins with some ordinary events. */
function inspect(text: string, before = tokens) {
  const inspection = new EventInspection(new TokenEstimate({ bytesPerToken: 4 }));
  const bytes = encode(before + text);
  const end = inspection.inspect(bytes);
  const rest = Buffer.from(bytes.subarray(end)).toString();
  return { inspection, rest, finding: inspection.finding };
}

test.each([
  ["an event", token()],
  ["an event with spaces in its object", 'data: { "id" : "1", "choices": [] } \n\n'],
  ["two spaces after the colon", 'data:  {"id":"1"}\n\n'],
  ["no space after the colon", 'data:{"id":1}\n\n'],
  ["an object on several lines", 'data: {"id":\ndata: "1",\ndata: "choices":[]}\n\n'],
  ["CRLF line endings", 'data: {"id":1}\r\n\r\n'],
  ["CR line endings", 'data: {"id":1}\r\rdata: {"id":2}\r\r'],
  ["a byte order mark", '\ufeffdata: {"id":1}\n\n'],
  ["comments and other fields", ': ping\n\nevent: message\nid: 7\nretry: 10\nx-note: 1\ndata: {"id":1}\n\n'],
  ["a field without a colon", 'data\n\nid\ndata: {"id":1}\n\n'],
  ["numbers as Python writes them", 'data: {"id":"1","logprob":-Infinity,"top":[NaN, 1]}\n\n'],
  ["a named event that is not JSON", "event: ping\ndata: ping\n\n"],
  ["empty data", "data:\n\ndata: \n\n"],
  ["JSON that is not an object", "data: [1]\n\n"],
  ["the end", "data: [DONE]\n\n"],
  ["the end with spaces", "data: [DONE] \r\n\r\n"],
  ["an error of null", 'data: {"error":null,"id":"1","choices":[]}\n\n'],
  ["text that looks like an error", 'data: {"id":"1","text":"data: {\\"error\\""}\n\n'],
  ["nothing", ""],
])("%s is valid, at the start and after other events", (_what, text) => {
  expect(inspect(text).rest).toBe("");
  expect(inspect(text, "").rest).toBe("");
});

test.each([
  ["vLLM", 'data: {"error":{"message":"x","type":"BadRequestError","code":400}}\n\n', 400],
  ["older vLLM", 'data: {"object":"error","message":"x","type":"BadRequestError","code":400}\n\n', 400],
  ["TGI", 'data:{"error":"too long","error_type":"validation"}\n\n', 400],
  ["an overloaded TGI", 'data:{"error":"full","error_type":"overloaded"}\n\n', 500],
  ["llama.cpp", 'data: {"error":{"code":400,"message":"x","type":"exceed_context_size_error"}}\n\n', 400],
  ["Anthropic's API", 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', 500],
  [
    "Anthropic's API for a bad request",
    'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error"}}\n\n',
    400,
  ],
  ["a server that only names the event", 'event: error\ndata: {"detail":"x"}\n\n', 500],
  ["a server with a status as text", 'data: { "error" : {"code":"429"} }\n\n', 429],
  ["a server with only a message", 'data: {"error":"boom"}\n\n', 500],
])("detects an error in the format of %s, after valid events", (_who, text, status) => {
  const { rest, finding } = inspect(text + token());
  expect(finding).toMatchObject({ kind: "error", status });
  expect(rest).toBe(text + token());
  expect(inspect(text, "").finding).toMatchObject({ kind: "error", status });
});

test.each([
  ["text that is not JSON", "data: hello\n\n"],
  ["truncated JSON", 'data: {"id":"1","cho\n\n'],
  ["bytes that are not a field", "\0\x01\n\n"],
  ["invalid JSON that begins like the events before it", 'data: {"id":"1","choices":[\n\n'],
])("detects garbage: %s", (_what, text) => {
  expect(inspect(text)).toMatchObject({ rest: text, finding: { kind: "garbage" } });
});

describe("in chunks", () => {
  test("detects the same, and the position in the chunks", () => {
    const inspection = new EventInspection(new TokenEstimate({ bytesPerToken: 4 }));
    const valid = chunk(token()) + chunk(token() + token());
    expect(inspection.inspectChunks(encode(valid))).toBe(encode(valid).length);
    expect(inspection.events).toBe(3);
    const bad = 'data: {"error":{"code":500}}\n\n';
    const end = inspection.inspectChunks(encode(valid + chunk(token() + bad)));
    expect((valid + chunk(token() + bad)).slice(end)).toBe(`${bad}\r\n`);
  });
});

test("counts events, including named ones, and ignores comments", () => {
  const text = `${token()}: ping\n\nevent: delta\n${token()}event: delta\n${token()}event: delta\n${token()}data: [DONE]\n\n`;
  const { inspection } = inspect(text, "");
  expect(inspection.events).toBe(4);
  expect(inspection.isDone).toBe(true);
});

test("counts as many events as a parser of the whole text, whatever the formatting", () => {
  const data = fc.oneof(
    fc.constant('{"id":"1","a":1}'),
    fc.constant('{"id":"2"}'),
    fc.jsonValue().map((value) => JSON.stringify(value)),
  );
  const lineEnd = fc.constantFrom("\n", "\r\n", "\r");
  const one = fc.tuple(data, lineEnd, fc.constantFrom("data: ", "data:", ": c\ndata: ", "event: e\ndata: "));
  fc.assert(
    fc.property(fc.array(one, { maxLength: 20 }), (events) => {
      const text = events
        .map(([json, end, field]) => `${field.replaceAll("\n", end)}${json}${end}${end}`)
        .join("");
      const inspection = new EventInspection(new TokenEstimate({ bytesPerToken: 4 }));
      const bytes = encode(text);
      fc.pre(inspection.inspect(bytes) === bytes.length);
      expect(inspection.events).toBe(readEvents(text).length);
    }),
  );
});
