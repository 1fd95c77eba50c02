import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { Reciter } from "../workers/reciter.ts";

// What the gateway translates to chats for an engine is answered as its own workers answer.

const engine = new Reciter("plain", { contextLength: 2048 });
let inner: OwnGateway;
let outer: OwnGateway;

beforeAll(async () => {
  inner = await startOwnGateway({ engine });
  const attached = { url: inner.url, name: "inner" };
  outer = await startOwnGateway({}, { engines: [attached], translate: "always" });
});

beforeEach(() => {
  engine.script = ["é😀 Yes, of course."];
});

/** Ids and times. */
const OWN = new Set(["id", "item_id", "created_at", "request_id", "obfuscation"]);

function plain(text: string): unknown {
  const event = JSON.parse(text, (key, value) => (OWN.has(key) ? undefined : value));
  // Without the engine's tokenizer, the prompt's length is estimated until the engine reports it.
  if (event.type === "message_start") delete event.message.usage;
  return event;
}

/** The events of a stream, or the whole answer, with the status. */
async function answerOf({ post }: OwnGateway, path: string, body: object): Promise<unknown[]> {
  const response = await post(path, { model: "plain", ...body });
  const text = await response.text();
  const events = text.startsWith("event:")
    ? text
        .trimEnd()
        .split("\n\n")
        .map((event) => plain(event.split("data: ")[1]!))
    : [plain(text)];
  return [response.status, ...events];
}

/** An error apart from its words. */
function errorIn(body: unknown): unknown {
  const { error } = body as { error: Record<string, unknown> };
  return { ...error, message: typeof error.message };
}

const user = (text: string) => ({ role: "user", content: text });
const question = { max_tokens: 100, messages: [user("Yes?")] };

describe.each([
  [
    "/v1/responses",
    "log probabilities",
    { input: "Hi", include: ["message.output_text.logprobs"], top_logprobs: 2 },
  ],
  ["/v1/responses", "a seed and other parameters", { input: "Hi", seed: 5, top_k: 3, min_p: 0.1 }],
  [
    "/v1/responses",
    "a conversation that is truncated",
    {
      input: Array.from({ length: 80 }, (_, index) => user(`${index} ${"x".repeat(80)}`)),
      truncation: "auto",
    },
  ],
  ["/v1/responses", "a conversation that is too long", { input: "x".repeat(5000) }],
  ["/v1/responses", "no input", { input: [] }],
  [
    "/v1/responses",
    "a format that the model cannot keep to",
    { input: "Hi", text: { format: { type: "json_schema", name: "x", schema: {} } } },
  ],
  ["/v1/responses", "an expression that the model cannot keep to", { input: "Hi", guided_regex: "a" }],
  [
    "/v1/responses",
    "a choice of an unknown tool",
    {
      input: "Hi",
      tools: [{ type: "function", name: "f" }],
      tool_choice: { type: "function", name: "g" },
    },
  ],
  ["/v1/responses", "a limit", { input: "Hi", max_output_tokens: 5 }],
  ["/v1/messages", "a stop sequence", { ...question, stop_sequences: ["of", "course"] }],
  ["/v1/messages", "many stop sequences", { ...question, stop_sequences: ["1", "2", "3", "4", "5", "of"] }],
  ["/v1/messages", "a limit", { ...question, max_tokens: 5 }],
  [
    "/v1/messages",
    "a block of another kind",
    { ...question, messages: [{ role: "user", content: [{ type: "document", source: {} }] }] },
  ],
] as const)("%s with %s", (path, _, body) => {
  test.each([false, true])("is answered as by workers (streamed: %s)", async (stream) => {
    const [theirs, ours] = [
      await answerOf(inner, path, { ...body, stream }),
      await answerOf(outer, path, { ...body, stream }),
    ];
    if (theirs[0] === 200) expect(ours).toEqual(theirs);
    else expect([ours[0], errorIn(ours[1])]).toEqual([theirs[0], errorIn(theirs[1])]);
  });
});
