import { expect, it } from "vitest";
import { validate } from "../openai/validate.ts";
import { responsesRequest } from "./schemas.ts";

const of = (item: object) => ({ model: "m", input: [item] });

it.each([
  [{ type: "function_call", name: "f" }, "call_id", "Missing required parameter"],
  [{ type: "function_call", call_id: "x", name: "f", arguments: {} }, "arguments", "expected a string"],
  [{ type: "function_call_output", call_id: "x" }, "output", "Missing required parameter"],
  [{ type: "function_call_output", call_id: "" }, "call_id", "at least 1 character"],
  [{ type: "reasoning", summary: "x" }, "summary", "expected an array, but got a string"],
  [{ type: "item_reference" }, "id", "Missing required parameter"],
  [{ role: "user" }, "content", "Missing required parameter"],
  [{ type: "message", role: "user" }, "content", "Missing required parameter"],
  [{ role: "robot", content: "x" }, "role", "expected 'user'"],
  [{ role: "user", content: [{ type: "input_text" }] }, "content[0].text", "Missing required parameter"],
  [{ role: "assistant", content: [{ type: "refusal" }] }, "content[0].refusal", "Missing required parameter"],
])("the error for the item %j names %s", (item, field, message) => {
  expect(() => validate(responsesRequest, of(item))).toThrow(
    expect.objectContaining({ param: `input[0].${field}`, message: expect.stringContaining(message) }),
  );
});
