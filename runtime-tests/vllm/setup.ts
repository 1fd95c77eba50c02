import { setTimeout as sleep } from "node:timers/promises";
import { metric } from "../../cli/e2e/metrics.ts";
import { BLOCK_SIZE, MODEL, type VllmServer } from "./vllm-server.ts";

export { attach } from "../../cli/e2e/access/attached.ts";

/** KV blocks of each server: few enough for a workload to fill them. */
export const BLOCKS = 320;

/** State shared by the suites, set before their tests run. */
export interface Setup {
  folder: string;
  /** Two servers; the last suites restart the first one. */
  servers: [VllmServer, VllmServer];
  /** URL of `stator attach` with both. */
  url: string;
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

/** Sends a request to the gateway, and reads its routing headers. */
export async function ask(
  url: string,
  path: string,
  body: object,
  more: Record<string, string> = {},
): Promise<Asked> {
  const response = await post(url, path, body, { "x-stator-explain": "true", ...more });
  const { headers, status } = response;
  return {
    status,
    engine: headers.get("x-stator-worker"),
    overlapTokens: Number(headers.get("x-stator-overlap-blocks")) * BLOCK_SIZE,
    json: await response.json(),
  };
}

/** Tokens that the engine took from its cache, as reported in any API. */
export function cachedTokens({ json }: Asked): number | undefined {
  const text = JSON.stringify(json);
  const match = /"(?:cached_tokens|cache_read_input_tokens)":(\d+)/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

let words = 0;

/** A new text of about this many tokens, unlike any earlier prompt. */
export function freshText(tokens: number): string {
  const seed = ++words;
  const all = Array.from(
    { length: Math.ceil(tokens / 6) },
    (_, index) => `request ${seed} word ${index * seed},`,
  );
  return all.join(" ");
}

/** Waits until `poll` returns a value. @throws Error after a minute */
export async function eventually<Value>(
  poll: () => Promise<Value | undefined>,
  what: string,
): Promise<Value> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const value = await poll();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Timed out waiting until ${what}.`);
    await sleep(50);
  }
}

/** A metric of an engine, summed over all labels. */
export async function metricOf({ url }: { url: string }, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** How many prompts were computed there: `remote`, `local` or `fallback`. */
export const prefills = (url: string, place: string) => metric(url, "stator_prefills_total", { place });

/** Waits until the gateway can use this many engines. */
export async function areReady(url: string, count: number): Promise<void> {
  await eventually(async () => {
    const { data } = await (await fetch(`${url}/admin/workers`)).json();
    const ready = data.filter(({ state }: { state: string }) => state === "ready");
    return ready.length === count ? true : undefined;
  }, `${count} engines are ready`);
}
