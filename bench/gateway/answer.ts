/** The answer expected of every measured stream, recorded from the gateway. */
export interface RecordedAnswer {
  headers: Record<string, string>;
  /** The server-sent events as received, including `[DONE]`. */
  events: readonly string[];
  /** Bytes of all events. */
  bytes: number;
  /** Bytes of a token's event besides the token, which are saved if two tokens share an event. */
  eventOverhead: number;
}

export const PROMPT = "The quick brown fox jumps over the lazy dog and looks back at it. ";

const PATH = "/v1/chat/completions";

const requestBody = (tokens: number) =>
  JSON.stringify({
    model: "echo",
    messages: [{ role: "user", content: PROMPT }],
    max_tokens: tokens,
    ignore_eos: true,
    stream: true,
  });

/** The bytes of the measured request. */
export function rawRequest(tokens: number): Buffer {
  const body = requestBody(tokens);
  return Buffer.from(
    `POST ${PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/**
 * Requests and records one answer.
 * @throws Error if it does not have the prompt's tokens, one per event
 */
export async function record(port: number, tokens: number): Promise<RecordedAnswer> {
  const response = await fetch(`http://127.0.0.1:${port}${PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: requestBody(tokens),
    signal: AbortSignal.timeout(600_000),
  });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`The gateway answers ${response.status}: ${body}`);
  const events = body.match(/.*\n\n/g) ?? [];
  checkText(events, tokens);
  const own = new Set(["connection", "date", "keep-alive", "transfer-encoding"]);
  return {
    headers: Object.fromEntries([...response.headers].filter(([name]) => !own.has(name))),
    events,
    bytes: Buffer.byteLength(body),
    // The prompt is ASCII without characters that JSON escapes.
    eventOverhead: Buffer.byteLength(events[1]!) - 1,
  };
}

/** Checks for the role, the tokens, the finish reason and `[DONE]`. */
function checkText(events: readonly string[], tokens: number): void {
  const contents = events.slice(1, -2).map((event): unknown => {
    const { choices } = JSON.parse(event.slice("data: ".length)) as {
      choices: { delta: { content: unknown } }[];
    };
    return choices[0]?.delta.content;
  });
  const expected = PROMPT.repeat(Math.ceil(tokens / PROMPT.length)).slice(0, tokens);
  if (
    events.length !== tokens + 3 ||
    contents.join("") !== expected ||
    events.at(-1) !== "data: [DONE]\n\n"
  ) {
    throw new Error(`The gateway's answer is not the prompt, token by token:\n${events.join("")}`);
  }
}
