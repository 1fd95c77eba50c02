import { setTimeout as sleep } from "node:timers/promises";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { BLOCK_SIZE, MODEL, type VllmServer } from "./vllm-server.ts";

/** KV blocks of each server: few enough that a workload can fill them. */
export const BLOCKS = 320;

/** What the suites share; set before their tests run. */
export interface Setup {
  folder: string;
  /** Two, of which the suites that come last start the first one again. */
  servers: [VllmServer, VllmServer];
  /** `stator attach` with both. */
  url: string;
}

/** `stator attach` with these engines and otherwise no flag, once it has seen them. */
export async function attach(engines: readonly string[], ...flags: string[]) {
  const stator = new StatorProcess(["attach", ...engines, "--port=0", "--config=none", ...flags]);
  const [, url] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
  return { stator, url: url! };
}

export interface Asked {
  readonly status: number;
  /** Name of the engine that answered. */
  readonly engine: string | null;
  readonly overlapTokens: number;
  readonly json: Record<string, unknown>;
}

export function post(url: string, path: string, body: object, headers: Record<string, string> = {}) {
  return fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: MODEL, ...body }),
  });
}

/** Asks the gateway, and reads what it says of the routing. */
export async function ask(url: string, path: string, body: object): Promise<Asked> {
  const response = await post(url, path, body, { "x-stator-explain": "true" });
  const { headers, status } = response;
  return {
    status,
    engine: headers.get("x-stator-worker"),
    overlapTokens: Number(headers.get("x-stator-overlap-blocks")) * BLOCK_SIZE,
    json: await response.json(),
  };
}

/** Tokens that the engine says to have taken from its cache, in whatever API's words. */
export function cachedTokens({ json }: Asked): number | undefined {
  const text = JSON.stringify(json);
  const match = /"(?:cached_tokens|cache_read_input_tokens)":(\d+)/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

let words = 0;

/** Some text of about so many tokens that no prompt before had. */
export function freshText(tokens: number): string {
  const seed = ++words;
  const all = Array.from(
    { length: Math.ceil(tokens / 6) },
    (_, index) => `request ${seed} word ${index * seed},`,
  );
  return all.join(" ");
}

/** Waits until it is so. @throws Error when it still is not after a minute */
export async function eventually<Value>(
  look: () => Promise<Value | undefined>,
  what: string,
): Promise<Value> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`It has not come about: ${what}.`);
    await sleep(50);
  }
}

/** A count of an engine's metrics, over all its labels. */
export async function metricOf({ url }: { url: string }, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
