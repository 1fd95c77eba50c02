import type { GenerateRequest } from "#runtime";
import type { Delta, Engine } from "#workers";
import { bytePieces, END_TOKEN, tokenizeBytes } from "../../../workers/byte-tokens.ts";
import { byteCard } from "./byte-card.ts";

/** An engine that recites what a test gives it, a byte per token, and remembers its prompts. */
export class Reciter implements Engine {
  readonly card: Engine["card"];
  /** The next answers, in order; the last one is repeated. */
  script: string[] = [];
  readonly prompts: string[] = [];
  /** An answer waits here once it has this many tokens. */
  gate: { readonly at: number; readonly open: Promise<unknown> } | undefined;
  /** How many answers were cut off. */
  cut = 0;
  /** How many tokens of the answers it has recited. */
  recited = 0;

  constructor(name: string, card: Partial<Engine["card"]> = {}) {
    this.card = byteCard(name, card);
  }

  stats = () => ({ running: 0, waiting: 0, kvUsage: 0 });
  tokenize = tokenizeBytes;
  vocabulary = () => bytePieces;
  close = async () => {};

  async *generate({ tokens, maxTokens }: GenerateRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    this.prompts.push(new TextDecoder().decode(Uint8Array.from(tokens)));
    const text = this.script.length > 1 ? this.script.shift()! : (this.script[0] ?? "");
    const bytes = new TextEncoder().encode(text);
    this.recited = 0;
    let isWhole = false;
    try {
      yield { tokenIds: [], cachedTokens: 0 };
      for (const [index, byte] of bytes.entries()) {
        if (index === maxTokens) {
          isWhole = true;
          yield { tokenIds: [], finish: "length" };
          return;
        }
        await new Promise((resolve) => setImmediate(resolve));
        if (index === this.gate?.at) await Promise.race([this.gate.open, aborted(signal)]);
        if (signal.aborted) return;
        this.recited++;
        yield { tokenIds: [byte], logprobs: [{ logprob: -0.5, top: [] }] };
      }
      isWhole = true;
      yield { tokenIds: [], finish: "stop", stopToken: END_TOKEN };
    } finally {
      if (!isWhole) this.cut++;
    }
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** A chat template like Qwen3's: with tools and reasoning. */
export const THINKER_TEMPLATE =
  "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}" +
  "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}" +
  "{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}{% endfor %}" +
  "<|assistant|>{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}";
