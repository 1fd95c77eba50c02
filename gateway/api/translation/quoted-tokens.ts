import { isRecord } from "../../kernel/json.ts";
import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { TokenInfo } from "../../requests/tokens/job.ts";

const encoder = new TextEncoder();

/** The tokens that an engine's log probabilities quote, as a vocabulary: each gets an id when it is quoted first. */
export class QuotedTokens implements Vocabulary {
  readonly longestTokenBytes = 1;
  readonly controlTokens: ReadonlyMap<string, number> = new Map();
  readonly #ids = new Map<string, number>();
  readonly #tokens: { readonly text: string; readonly bytes: Uint8Array }[] = [];

  get size(): number {
    return this.#tokens.length;
  }

  text(id: number): string | undefined {
    return this.#tokens[id]?.text;
  }

  bytes(id: number): Uint8Array {
    return this.#tokens[id]?.bytes ?? new Uint8Array(0);
  }

  isControl(): boolean {
    return false;
  }

  /**
   * The tokens of a chat's `logprobs`: https://platform.openai.com/docs/api-reference/chat/object
   * @returns undefined if it has none
   */
  read(logprobs: unknown): TokenInfo[] | undefined {
    if (!isRecord(logprobs) || !Array.isArray(logprobs.content)) return undefined;
    return logprobs.content.filter(isRecord).map((entry) => ({
      id: this.#idOf(entry),
      logprob: numberOf(entry.logprob),
      top: listOf(entry.top_logprobs).map((each): [number, number] => [
        this.#idOf(each),
        numberOf(each.logprob),
      ]),
    }));
  }

  #idOf({ token, bytes }: Readonly<Record<string, unknown>>): number {
    const text = typeof token === "string" ? token : "";
    const own = Array.isArray(bytes) && bytes.every(isByte) ? Uint8Array.from(bytes) : encoder.encode(text);
    const key = `${own.join()} ${text}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#tokens.push({ text, bytes: own }) - 1;
    this.#ids.set(key, id);
    return id;
  }
}

const isByte = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;

const listOf = (value: unknown) => (Array.isArray(value) ? value.filter(isRecord) : []);

const numberOf = (value: unknown): number => (typeof value === "number" ? value : Number.NEGATIVE_INFINITY);
