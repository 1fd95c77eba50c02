import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "#runtime";
import { type StandIn, startVllm } from "#stand-ins";
import { alignColumns } from "../table.ts";
import { printed, startStator } from "./live.ts";

/** How a gateway in front of engines is replaced while requests run. */
export type LiveStart = "not replaced" | "warm" | "cold";

export interface LiveReplacement {
  readonly start: LiveStart;
  /** Share of prompt tokens from the engines' caches, of the first requests after the replacement and of all. */
  readonly firstHitRate: number;
  readonly hitRate: number;
  /** Requests without a whole answer. */
  readonly failures: number;
}

const ENGINES = 4;
/** Blocks per engine: together they hold half of all conversations. */
const ENGINE_BLOCKS = 2_048;
const CONVERSATIONS = 160;
/** Tokens, which are characters, that all requests of a conversation share. */
const SHARED_TOKENS = 1_600;
const BEFORE = 1_000;
const AFTER = 600;
const FIRST = 200;

/** Real gateways in front of stand-ins for vLLM without replays, and the same requests each time. */
export async function replaceLive(onStart: (start: LiveStart) => void): Promise<LiveReplacement[]> {
  const rows: LiveReplacement[] = [];
  for (const start of ["not replaced", "warm", "cold"] as const) {
    onStart(start);
    rows.push(await replaceOnce(start));
  }
  return rows;
}

async function replaceOnce(start: LiveStart): Promise<LiveReplacement> {
  const folder = mkdtempSync(join(tmpdir(), "stator-replacement-"));
  const running: ChildProcess[] = [];
  const engines: StandIn[] = [];
  const attach = (...more: string[]) => {
    const child = startStator(
      "attach",
      ...engines.map(({ url }) => url),
      "--port=0",
      "--slow-start=0",
      ...more,
    );
    running.push(child);
    return child;
  };
  try {
    for (let engine = 0; engine < ENGINES; engine++)
      engines.push(
        await startVllm({ totalBlocks: ENGINE_BLOCKS, kvEvents: {}, prefillTokensPerSecond: 200_000 }),
      );
    const shared = [`--discovery=file:${folder}/discovery`, "--drain-delay=0"];
    const first = attach(...shared);
    const requests = requestsOf(BEFORE + AFTER);
    let url = await readyUrl(first);
    const before = await send(url, requests.slice(0, BEFORE));
    if (start !== "not replaced") {
      const next = attach(...(start === "warm" ? shared : []));
      url = await readyUrl(next);
      first.kill("SIGTERM");
    }
    const after = await send(url, requests.slice(BEFORE));
    return {
      start,
      firstHitRate: hitRateOf(after.slice(0, FIRST)),
      hitRate: hitRateOf(after),
      failures: BEFORE + AFTER - before.length - after.length,
    };
  } finally {
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(running.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
    for (const engine of engines) await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prompts of conversations, some of which are much more frequent than others. */
function requestsOf(count: number): string[] {
  const random = seededRandom(7);
  const conversations = Array.from({ length: CONVERSATIONS }, (_, index) =>
    `Conversation ${index}. ${Array.from({ length: SHARED_TOKENS }, () => String.fromCharCode(97 + random() * 26)).join("")}`.slice(
      0,
      SHARED_TOKENS,
    ),
  );
  return Array.from({ length: count }, (_, index) => {
    const conversation = conversations[Math.floor(CONVERSATIONS * random() ** 2)]!;
    return `${conversation} Question ${index} of many, and nothing else.`;
  });
}

interface Answer {
  readonly cached: number;
  readonly prompt: number;
}

/** Sends the requests one after the other, so that runs are alike. @returns what is known of those with whole answers */
async function send(url: string, prompts: readonly string[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const prompt of prompts) {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", prompt, max_tokens: 4, ignore_eos: true }),
    });
    const { usage } = (await response.json()) as {
      usage?: { prompt_tokens: number; prompt_tokens_details?: { cached_tokens?: number } };
    };
    if (!response.ok || usage === undefined) continue;
    answers.push({
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
      prompt: usage.prompt_tokens,
    });
  }
  return answers;
}

const hitRateOf = (answers: readonly Answer[]): number =>
  answers.reduce((sum, { cached }) => sum + cached, 0) / answers.reduce((sum, { prompt }) => sum + prompt, 0);

async function readyUrl(gateway: ChildProcess): Promise<string> {
  const url = await printed(gateway, /Send requests to (http:\/\/[^\s/]+)/);
  const isReady = async () => {
    const { status } = (await (await fetch(`${url}/health`)).json()) as { status: string };
    return status === "ready";
  };
  while (!(await isReady())) await sleep(20);
  return url;
}

/** The results as text. */
export function liveReplacementTable(rows: readonly LiveReplacement[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const [undisturbed] = rows;
  const points = (rate: number, of: number) => `${percent(rate)} (${((rate - of) * 100).toFixed(2)})`;
  const lines = rows.map(({ start, firstHitRate, hitRate, failures }) => [
    start,
    points(firstHitRate, undisturbed!.firstHitRate),
    points(hitRate, undisturbed!.hitRate),
    String(failures),
  ]);
  const head = ["the gateway", `hit rate, ${FIRST} requests after`, `${AFTER} after`, "failed"];
  const note = `Processes: stator attach before ${ENGINES} stand-ins for vLLM, whose events cannot be replayed. In brackets: points.`;
  return `${alignColumns([head, ...lines]).join("\n")}\n\n${note}`;
}
