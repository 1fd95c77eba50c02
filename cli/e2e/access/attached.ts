import { StatorProcess } from "../stator-process.ts";

export interface Attached {
  readonly stator: StatorProcess;
  readonly url: string;
}

/** `stator attach` on a free port, once it has printed its table. */
export async function attach(engines: readonly string[], ...flags: string[]): Promise<Attached> {
  const stator = new StatorProcess(["attach", ...engines, "--port=0", "--config=none", ...flags]);
  const [, url] = await stator.printed(/Send requests to (https?:\S+)\/v1/);
  return { stator, url: url! };
}

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** JSON whose fields each test checks itself. */
export interface Body {
  readonly [key: string]: Body;
}

/** Sends one request, and returns its answer as JSON, or as text if it is not JSON. */
export async function ask(url: string, init: RequestInit & { json?: unknown } = {}): Promise<Asked> {
  const { json, ...rest } = init;
  const headers = new Headers(init.headers);
  if (json !== undefined) headers.set("content-type", "application/json");
  const body = json === undefined ? rest.body : JSON.stringify(json);
  const response = await fetch(url, {
    ...rest,
    headers,
    ...(json !== undefined && { method: rest.method ?? "POST" }),
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) as Body };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A short chat that the stand-ins answer. */
export const chat = (more: object = {}) => ({
  model: "tiny",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 4,
  ignore_eos: true,
  ...more,
});

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
