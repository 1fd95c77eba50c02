import { bytePieces, bytesOfTokens, END_TOKEN, tokenCard, tokenizeBytes } from "../../workers/byte-tokens.ts";
import { defineWorker } from "../../workers/index.ts";

/** Like Qwen3's: with tools and reasoning. */
const TEMPLATE =
  "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}" +
  "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}" +
  "{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}{% endfor %}" +
  "<|assistant|>";

/** What it calls, by the first of these tools that a client offers. */
const CALLS: Readonly<Record<string, object>> = {
  get_weather: { city: "Paris" },
  Bash: { command: "echo hello > out.txt", description: "Writes a file" },
  exec_command: { cmd: "echo hello > out.txt" },
};

/** An engine that calls a tool, and then answers with what the tool said. */
export default defineWorker({
  name: "agent",
  open: () => ({
    card: {
      name: "agent",
      aliases: [],
      apis: ["chat", "completions"],
      role: "aggregated",
      contextLength: 2_000_000,
      blockSize: 64,
      totalBlocks: 100_000,
      maxBatchedTokens: 2_000_000,
      maxSequences: 16,
      dataParallelSize: 1,
      ...tokenCard(undefined),
      chatTemplate: TEMPLATE,
      reasoningParser: "qwen3",
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "agent", version: "1" },
      created: 0,
    },
    stats: () => ({ running: 0, waiting: 0, kvUsage: 0 }),
    tokenize: tokenizeBytes,
    vocabulary: () => bytePieces,
    close: async () => {},
    async *generate({ tokens }) {
      const prompt = new TextDecoder().decode(bytesOfTokens(tokens));
      yield { tokenIds: [], cachedTokens: 0 };
      for (const byte of new TextEncoder().encode(answerTo(prompt))) yield { tokenIds: [byte] };
      yield { tokenIds: [], finish: "stop", stopToken: END_TOKEN };
    },
  }),
});

function answerTo(prompt: string): string {
  const [, result] = /<\|tool\|>([^<]*)(?:<\|user\|>[^<]*)?<\|assistant\|>$/.exec(prompt) ?? [];
  if (result !== undefined) return `<think>\nGood.\n</think>\n\nThe tool said: ${result.trim().slice(0, 20)}`;
  const name = Object.keys(CALLS).find((tool) => prompt.includes(`"name": "${tool}"`));
  if (name === undefined) return "<think>\nHm.\n</think>\n\nHello.";
  const call = JSON.stringify({ name, arguments: CALLS[name] });
  return `<think>\nI must look.\n</think>\n\nLet me see.\n<tool_call>\n${call}\n</tool_call>`;
}
