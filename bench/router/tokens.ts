import type { Router } from "#router-wasm";
import { alignColumns } from "../table.ts";
import { newRouter, prepare } from "./core.ts";
import type { Times } from "./figures.ts";
import { quantiles, Replay } from "./replay.ts";
import { BLOCK_SIZE, TOKENS_PER_STEP, type Workload, writeTokens } from "./workload.ts";

/** Complete decisions for prompts of one length: copied, hashed, looked up, priced, booked. */
export interface TokensRow {
  tokens: number;
  /** No worker holds any of it. */
  miss: Times;
  /** Prompts of the trace that are not stored yet, cut or padded to the length. */
  trace: Times;
  /** A worker holds all of it. */
  full: Times;
}

const WORKERS = 1024;
const LENGTHS = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
/** Number of fully cached prompts, and of timed calls, after as many untimed ones. */
const HELD = 64;
const CALLS = 1000;

type Prompt = (tokens: Uint32Array, call: number) => void;

/** The index has the first half of the trace; "as in the trace" uses requests of the second half. */
export function measureTokens(trace: readonly (readonly number[])[]): TokensRow[] {
  const workload = prepare(trace);
  workload.assign(WORKERS);
  const half = workload.requests >> 1;
  const router = newRouter(WORKERS, { maxBlocks: 2 ** 23 });
  new Replay(workload, half).stores(router, "hashes");
  for (let held = 0; held < HELD; held++) hold(router, held);
  return LENGTHS.map((tokens) => ({
    tokens,
    miss: time(router, tokens, (prompt, call) => prompt.fill(2 ** 30 + call)),
    trace: time(router, tokens, fromTrace(workload, half, tokens)),
    full: time(router, tokens, (prompt, call) => writeHeld(call % HELD, prompt)),
  }));
}

function time(router: Router, length: number, write: Prompt): Times {
  const times = new Float64Array(CALLS);
  const tokens = new Uint32Array(length);
  for (let call = -CALLS; call < CALLS; call++) {
    write(tokens, call + CALLS);
    const start = performance.now();
    router.writePrompt(tokens);
    const { booking } = router.decide({ tokenCount: length, policy: "kv", random: 0.5 });
    if (call >= 0) times[call] = performance.now() - start;
    router.free(booking);
  }
  return quantiles(times);
}

/** Requests of at least this length, or the longest ones, padded with new tokens. */
function fromTrace(workload: Workload, half: number, length: number): Prompt {
  const steps = Math.ceil(length / TOKENS_PER_STEP);
  const later = Array.from({ length: workload.requests - half }, (_, i) => workload.path(half + i));
  const longest = later.sort((a, b) => b.length - a.length);
  const enough = longest.filter((path) => path.length >= steps);
  const paths = enough.length > 0 ? enough : longest.slice(0, 16);
  return (tokens, call) => {
    const path = paths[call % paths.length]!;
    tokens.fill(2 ** 30 + call);
    for (let i = 0; i < Math.min(steps, path.length); i++) {
      writeTokens(workload.contents[path[i]!]!, tokens, i * TOKENS_PER_STEP);
    }
  };
}

function hold(router: Router, held: number): void {
  const tokens = new Uint32Array(LENGTHS.at(-1)!);
  writeHeld(held, tokens);
  const blocks = tokens.length / BLOCK_SIZE;
  const hashes = BigUint64Array.from({ length: blocks }, (_, i) => (1n << 40n) + BigInt(held * blocks + i));
  router.applyStored(held, hashes, undefined, tokens);
}

/** Writes a prompt whose tokens occur in no other one. */
function writeHeld(held: number, tokens: Uint32Array): void {
  const first = 2 ** 20 + held * LENGTHS.at(-1)!;
  for (let i = 0; i < tokens.length; i++) tokens[i] = first + i;
}

export function formatTokens(rows: readonly TokensRow[]): string {
  const pair = ({ p50_us, p99_us }: Times) => `${p50_us.toFixed(1)} / ${p99_us.toFixed(1)}`;
  const head = ["tokens", "miss", "as in the trace", "full match"];
  const lines = rows.map(({ tokens, miss, trace, full }) => [
    String(tokens),
    pair(miss),
    pair(trace),
    pair(full),
  ]);
  return `From token ids, 1,024 workers, µs, p50 / p99:\n${alignColumns([head, ...lines]).join("\n")}\n`;
}
