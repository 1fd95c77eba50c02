import type { PlaneError, PromptMedium } from "#runtime";
import type { Delta, Engine, EngineRequest } from "#workers";
import { bytePieces, bytesOfTokens, END_TOKEN, tokenizeBytes } from "../../../workers/byte-tokens.ts";
import { byteCard } from "./byte-card.ts";

/** How many tokens of the prompt each medium becomes. */
export const MEDIUM_TOKENS = 10;

/** An engine that repeats its prompt, a byte per token, with what it got in the place of each medium. */
export class Seer implements Engine {
  readonly card;
  readonly requests: EngineRequest[] = [];
  /** Waits before the answer's last token. */
  gate: Promise<void> = Promise.resolve();
  /** Whether it answers although no token is wanted. */
  isHasty = false;
  /** Fails once, before the answer's last token or a count. */
  fails = false;
  /** With what it refuses requests. */
  refuses: PlaneError | undefined;
  /** Called when an answer has its first tokens, and when one fails or is cancelled. */
  onBegun: () => void = () => {};
  onFailed: () => void = () => {};
  onCancelled: () => void = () => {};

  constructor(name: string, card: Partial<Engine["card"]> = {}) {
    this.card = byteCard(name, {
      chatTemplate: "{% for message in messages %}{{ message.role[0] }}:{{ message.content }};{% endfor %}",
      features: { logprobs: false, logitBias: false, embeddings: false, cacheSalt: true },
      media: ["image", "audio"],
      ...card,
    });
  }

  stats = () => ({ running: 0, waiting: 0, kvUsage: 0 });
  tokenize = tokenizeBytes;
  vocabulary = () => bytePieces;
  close = async () => {};

  /** The media of the last request. */
  get seen(): readonly PromptMedium[] {
    return this.requests.at(-1)?.media ?? [];
  }

  async *generate(request: EngineRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    const { tokens, media = [] } = request;
    this.requests.push(request);
    if (this.refuses !== undefined) throw this.refuses;
    signal.addEventListener("abort", () => this.onCancelled());
    const mediaTokens = media.length * MEDIUM_TOKENS;
    if (request.maxTokens === 0 && !this.isHasty) {
      this.#failOnce();
      yield { tokenIds: [], mediaTokens, finish: "length" };
      return;
    }
    let from = 0;
    const parts = media.map(({ position, kind, type, data, encoded }) => {
      const text = tokens.subarray(from, position);
      from = position;
      const what = encoded === undefined ? `${kind} ${type} ${data.length}` : decoder.decode(encoded);
      return `${decoder.decode(bytesOfTokens(text))}[${what}]`;
    });
    const answer = new TextEncoder().encode(
      parts.join("") + decoder.decode(bytesOfTokens(tokens.subarray(from))),
    );
    yield {
      tokenIds: [...answer.subarray(0, -1)],
      cachedTokens: 0,
      ...(media.length > 0 && { mediaTokens }),
    };
    this.onBegun();
    await this.gate;
    this.#failOnce();
    if (signal.aborted) return;
    yield { tokenIds: [answer.at(-1)!] };
    yield { tokenIds: [], finish: "stop", stopToken: END_TOKEN };
  }

  #failOnce(): void {
    if (!this.fails) return;
    this.fails = false;
    this.onFailed();
    throw new Error("The picture is too beautiful.");
  }
}

const decoder = new TextDecoder();
