import { describe, expect, test } from "vitest";
import { stableFieldOf, withStableField } from "./stable-prefix.ts";

const header = (cch: string) =>
  `x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=sdk-cli; cch=${cch};`;
const text = (text: string, more: object = {}) => ({ type: "text", text, ...more });
const CODE = text("You are Claude Code.", { cache_control: { type: "ephemeral" } });

/** What an engine gets. */
function sent(path: string, json: Record<string, unknown>): string {
  const field = stableFieldOf(path, json);
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  if (field === undefined) return JSON.stringify(json);
  const changed = withStableField({ bytes, body: json }, field);
  expect(JSON.parse(new TextDecoder().decode(changed.bytes))).toEqual(changed.body);
  return new TextDecoder().decode(changed.bytes);
}

describe("Claude Code's billing header", () => {
  test.each<[string, unknown, unknown]>([
    ["a block of its own", [text(header("1f2e")), CODE], [CODE]],
    ["the first line of a block", [text(`${header("1f2e")}\nBe brief.`)], [text("Be brief.")]],
    ["the first line of a text", `${header("1f2e")}\nBe brief.\nAnd kind.`, "Be brief.\nAnd kind."],
    ["the beginning of a line", `${header("1f2e")}Be brief.\nAnd kind.`, "Be brief.\nAnd kind."],
    ["all there is", [text(header("1f2e"))], undefined],
    ["the whole text", header("1f2e"), undefined],
  ])("is removed if it is %s", (_, system, left) => {
    const messages = [{ role: "user", content: header("stays") }];
    expect(JSON.parse(sent("/v1/messages", { model: "m", system, messages }))).toEqual(
      left === undefined ? { model: "m", messages } : { model: "m", system: left, messages },
    );
    const chat = [{ role: "system", content: system }, ...messages];
    expect(JSON.parse(sent("/v1/chat/completions", { messages: chat }))).toEqual({
      messages: left === undefined ? messages : [{ role: "system", content: left }, ...messages],
    });
  });

  test("leaves two requests that differ only in it alike", () => {
    const [one, other] = ["1f2e", "00aa"].map((cch) =>
      sent("/v1/messages", { model: "m", system: [text(header(cch)), CODE], messages: [] }),
    );
    expect(one).toBe(other);
  });

  test.each([
    ["/v1/messages", { system: [CODE], messages: [] }],
    ["/v1/messages", { messages: [{ role: "user", content: header("1") }] }],
    ["/v1/messages", { system: [CODE, text(header("1"))] }],
    ["/v1/chat/completions", { messages: [{ role: "user", content: header("1") }] }],
    ["/v1/chat/completions", { messages: [] }],
    ["/v1/chat/completions", { messages: "none" }],
    ["/v1/completions", { prompt: header("1") }],
  ])("is not looked for elsewhere: %s %j", (path, json) => {
    expect(stableFieldOf(path, json)).toBeUndefined();
  });
});
