import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { mistral } from "./mistral.ts";

const lookalikes = ["[TOOL_CALLS", "[TOOL_CALLS] begins calls.", "[TOOL_CALLS][1, 2]", "[TOOL_CALLS]now"];

describe("version 11", () => {
  describeToolFormat({
    format: mistral,
    write: (calls) =>
      calls.map(({ name, arguments: given }) => `[TOOL_CALLS]${name}[ARGS]${JSON.stringify(given)}`).join(""),
    lookalikes,
  });
});

describe("before version 11", () => {
  describeToolFormat({
    format: mistral,
    write: (calls) => `[TOOL_CALLS]${JSON.stringify(calls)}`,
    lookalikes,
  });
});

describe("the mistral parser", () => {
  test.each([
    ["a call's ID", "[TOOL_CALLS]now[CALL_ID]a1B2c3D4e[ARGS]{}", "a1B2c3D4e"],
    ["a call whose marker was dropped", "[TOOL_CALLS]now{}", undefined],
    ["an object without a list", '[TOOL_CALLS]{"name": "now", "arguments": {}}', undefined],
    ["an ID after the arguments", '[TOOL_CALLS][{"name": "now", "arguments": {}, "id": "x"}]', undefined],
  ])("reads %s", (_, text, id) => {
    const calls = [{ name: "now", arguments: "{}", ...(id && { id }) }];
    expect(parseAnyhow(withTools(mistral), text)).toEqual({ text: "", reasoning: "", calls });
  });
});
