import type OpenAI from "openai";
import { afterEach, beforeAll, beforeEach, expect } from "vitest";
import { stall } from "../../../scripts/testing/stall.ts";
import { attach } from "../access/attached.ts";
import type { StatorProcess } from "../stator-process.ts";
import { enginesAreReady } from "./ready-engines.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

const STREAMS = 64;
const TOKENS = 40;

let stator: StatorProcess;
let url: string;
let openai: OpenAI;
/** The expected answer of each question. */
const truth = new Map<string, string>();
const questions = Array.from({ length: STREAMS }, (_, index) => `Question ${index} of many`);

interface GatewaySettings {
  readonly idleSeconds?: number;
  readonly flags?: readonly string[];
}

/** Three engines for all tests of a file, warmed up before the first, and a fresh gateway per test. */
export function startThreeEngines({
  idleSeconds = 0.5,
  flags = [],
}: GatewaySettings = {}): readonly StandInProcess[] {
  const engines: StandInProcess[] = [];
  beforeAll(async () => {
    const args = ["vllm", "--inter-token-ms=10", "--kv-port=0", "--replay-port=0"] as const;
    engines.push(...(await Promise.all([1, 2, 3].map(() => StandInProcess.start(...args)))));
    const direct = clientOf(engines[0]!.url);
    await Promise.all(
      questions.map(async (question) =>
        truth.set(question, (await streamChat(direct, question, TOKENS)).text),
      ),
    );
  });
  beforeEach(async () => {
    ({ stator, url } = await attach(
      engines.map((engine) => engine.url),
      "--policy=round-robin",
      // However slow this machine is now, only real hangs count as hangs.
      `--idle-timeout=${idleSeconds * stall()}`,
      `--first-token-timeout=${stall()}`,
      "--health-interval=0.2",
      ...flags,
    ));
    openai = clientOf(url);
  });
  afterEach(async () => void (await stator.stop()));
  return engines;
}

/**
 * Runs 64 streams and expects no errors, and the same answers as from an undisturbed engine. Calls `disturb` once when
 * half of the answers have begun.
 */
export async function runAll(disturb: () => Promise<void>): Promise<void> {
  let begun = 0;
  let disturbed: Promise<void> | undefined;
  const answers = questions.map(async (question) => {
    let hasBegun = false;
    const answer = await streamChat(openai, question, TOKENS, () => {
      if (hasBegun) return;
      hasBegun = true;
      if (++begun === STREAMS / 2) disturbed = disturb();
    });
    expect(answer.text, question).toBe(truth.get(question));
    expect(answer.finishReason).toBe("length");
    expect(answer.ids.size).toBe(1);
    expect(answer.usage?.completion_tokens).toBe(TOKENS);
  });
  await Promise.all(answers);
  await disturbed;
}

/** Kills and restarts the engines in turn while streams run, this many times. */
export async function killInTurn(engines: readonly StandInProcess[], times: number): Promise<void> {
  for (let round = 0; round < times; round++) {
    const victim = engines[round % engines.length]!;
    await runAll(() => victim.kill());
    await victim.restart();
    await enginesAreReady(url, engines.length);
  }
}

/** Drains each engine in turn while its streams are stalled, so that they can only end by moving. */
export async function drainInTurn(engines: readonly StandInProcess[]): Promise<void> {
  for (const victim of engines) {
    await victim.faults({ hangAfterTokens: TOKENS / 4 });
    await runAll(async () => {
      const drained = await fetch(`${url}/admin/workers/${victim.name}?within=0s`, { method: "DELETE" });
      expect(drained.status).toBe(202);
    });
    await stator.printed(new RegExp(`engine detached.*engine=${victim.name}`));
    await victim.faults({});
    const attached = await fetch(`${url}/admin/workers`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url: victim.url }),
    });
    expect(attached.status).toBe(201);
    await enginesAreReady(url, engines.length);
  }
  expect(stator.stdout + stator.stderr).not.toMatch(/failed a request|set an engine aside/);
}
