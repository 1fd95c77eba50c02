// `npm run bench:rescue`: what `--tool-parser auto` costs per event of a stream in which nothing is to be rescued, beside
// what the gateway does with each event anyway.
import { parseArgs } from "node:util";
import {
  EventInspection,
  formatsFor,
  noReply,
  REASONING_FORMATS,
  rescuedReply,
  TextTokens,
  TOOL_FORMATS,
  TokenEstimate,
} from "#gateway";

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, help: { type: "boolean" } },
});
if (values.help) {
  console.log("Usage: npm run bench:rescue [-- --json]");
  process.exit(0);
}

const EVENTS = 200_000;
const ROUNDS = 9;
const utf8 = new TextEncoder();

/** Events as vLLM writes them, one token each. @param mark in every so many of them, the first character of a mark */
function streamOf(mark: number): Uint8Array[] {
  const words = [" the", " a", " of", " model", " and", " answer", ".", " tokens"];
  return Array.from({ length: EVENTS }, (_, index) => {
    const content = mark > 0 && index % mark === mark - 1 ? " <" : words[index % words.length];
    const choices = [{ index: 0, delta: { content }, logprobs: null, finish_reason: null, token_ids: null }];
    const chunk = {
      id: "chatcmpl-0123456789abcdef",
      object: "chat.completion.chunk",
      created: 1_800_000_000,
      model: "qwen3",
      choices,
    };
    return utf8.encode(`data: ${JSON.stringify(chunk)}\n\n`);
  });
}

const head = {
  status: 200,
  headers: [],
  contentLength: undefined,
  hasBody: true,
  isEventStream: true,
  isEncoded: false,
};
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }];

/** Nanoseconds for each event: the median of several rounds. */
function measure(run: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    run();
    return ((performance.now() - start) * 1e6) / EVENTS;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

const hermes = TOOL_FORMATS.find(({ name }) => name === "hermes");
const qwen3 = REASONING_FORMATS.find(({ name }) => name === "qwen3");

const rescue = (events: readonly Uint8Array[]) => () => {
  const reply = rescuedReply(head, formatsFor({ tools }, { tools: hermes, reasoning: qwen3 })!, noReply);
  for (const event of events) reply.write(event, false);
};
const plain = streamOf(0);
const inspection = measure(() => {
  const inspect = new EventInspection(new TokenEstimate(new TextTokens()));
  for (const event of plain) inspect.inspect(event);
});
const rows = [
  ["text without marks", measure(rescue(plain))],
  ["a mark's first character in 1 % of the events", measure(rescue(streamOf(100)))],
  ["a mark's first character in 10 % of the events", measure(rescue(streamOf(10)))],
] as const;

if (values.json)
  console.log(
    JSON.stringify({
      inspection,
      rescue: rows.map(([stream, ns]) => ({ stream, ns, of_inspection: ns / inspection })),
    }),
  );
else {
  console.log(
    `nanoseconds per event, medians of ${ROUNDS} rounds of ${EVENTS.toLocaleString("en")} events\n`,
  );
  console.log(`${"inspection of every event, in any case".padEnd(50)}${inspection.toFixed(0).padStart(6)}`);
  for (const [stream, ns] of rows)
    console.log(
      `${`rescue: ${stream}`.padEnd(56)}${ns.toFixed(0).padStart(6)}   ${(ns / inspection).toFixed(2)} of it`,
    );
}
