import { setTimeout as sleep } from "node:timers/promises";

/** The result of a load. */
export interface LoadResult {
  /** Streams that have ended. */
  readonly streams: number;
  /** Streams that failed, or ended with an error event. */
  readonly errors: readonly string[];
  /** Streams with lost, duplicated or reordered tokens. */
  readonly wrong: readonly string[];
  /** The longest time between chunks of a stream, in milliseconds. */
  readonly longestGapMs: number;
}

export interface LoadOptions {
  /** Base URLs of gateways, which the streams use in turn. */
  readonly urls: readonly string[];
  readonly streams?: number;
  /** Tokens per answer. */
  readonly tokens?: number;
  /** Whether clients retry a failed request at the next gateway. */
  readonly retries?: boolean;
  /** Pause of the client after each chunk, in milliseconds. */
  readonly readDelayMs?: number;
}

export interface Load {
  /** Streams that have ended so far. */
  readonly ended: number;
  /** Resolves when this many more streams have ended. */
  more(streams: number): Promise<void>;
  /** Starts no more streams, and waits for the running ones. */
  stop(): Promise<LoadResult>;
}

const RETRIES = 20;
const RETRY_MS = 250;

/** Runs this many streams of known tokens at a time until `stop`. */
export function startLoad({
  urls,
  streams = 64,
  tokens = 200,
  retries = false,
  readDelayMs = 0,
}: LoadOptions): Load {
  const errors: string[] = [];
  const wrong: string[] = [];
  let [ended, longestGapMs, next, isStopping] = [0, 0, 0, false];
  let waiting: (() => void)[] = [];
  const expected = textOf(tokens);

  async function stream(): Promise<void> {
    const number = next++;
    for (let attempt = 0; ; attempt++) {
      const url = urls[(number + attempt) % urls.length]!;
      try {
        const { text, gapMs } = await complete(url, `stream ${number}:`, tokens, readDelayMs);
        longestGapMs = Math.max(longestGapMs, gapMs);
        if (text !== expected) wrong.push(`stream ${number}: ${difference(text, expected)}`);
        return;
      } catch (error) {
        if (retries && attempt < RETRIES) await sleep(RETRY_MS);
        else return void errors.push(`stream ${number}: ${describe(error)}`);
      }
    }
  }

  const running = Array.from({ length: streams }, async (_, index) => {
    // Staggered.
    await sleep(index * 5);
    while (!isStopping) {
      await stream();
      ended++;
      for (const check of waiting) check();
    }
  });

  return {
    get ended() {
      return ended;
    },
    more(count) {
      const until = ended + count;
      return new Promise((resolve) => {
        const check = () => {
          if (ended < until) return;
          waiting = waiting.filter((each) => each !== check);
          resolve();
        };
        waiting.push(check);
      });
    },
    async stop() {
      isStopping = true;
      await Promise.all(running);
      return { streams: ended, errors, wrong, longestGapMs: Math.round(longestGapMs) };
    },
  };
}

const textOf = (tokens: number) =>
  Array.from({ length: Math.ceil(tokens / 5) }, (_, number) => `${String(number).padStart(4, "0")} `)
    .join("")
    .slice(0, tokens);

/** Reads one streamed answer. @throws Error if it is not complete */
async function complete(
  url: string,
  prompt: string,
  tokens: number,
  readDelayMs: number,
): Promise<{ text: string; gapMs: number }> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ model: "counting", prompt, max_tokens: tokens, stream: true }),
  });
  if (!response.ok || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  let [text, rest, gapMs, finish] = ["", "", 0, ""];
  let receivedAt = performance.now();
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    gapMs = Math.max(gapMs, performance.now() - receivedAt);
    rest += decoder.decode(chunk, { stream: true });
    const events = rest.split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      if (!event.startsWith("data: {")) continue;
      const { choices = [], error } = JSON.parse(event.slice(6));
      if (error !== undefined) throw new Error(`in the stream: ${JSON.stringify(error)}`);
      for (const choice of choices) {
        text += choice.text;
        finish = choice.finish_reason ?? finish;
      }
    }
    if (readDelayMs > 0) await sleep(readDelayMs);
    receivedAt = performance.now();
  }
  if (finish !== "length") throw new Error(`ended without a finish reason after ${text.length} tokens`);
  return { text, gapMs };
}

function difference(text: string, expected: string): string {
  const at = [...expected].findIndex((character, index) => text[index] !== character);
  return `from ${at}: ${JSON.stringify(text.slice(Math.max(0, at - 10), at + 20))}, ${text.length} of ${expected.length}`;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
