import { alignColumns } from "../table.ts";
import type { SimulationResult } from "../trace/simulate.ts";
import { runJobs } from "../trace/threads.ts";
import { type ReplicaCase, type Start, WINDOW_MINUTES } from "./cases.ts";

const STARTS = ["not replaced", "warm", "cold"] as const;

/** A gateway that is replaced in the middle of the trace, and what that costs. */
export interface ReplacementRow {
  readonly knowledge: "events" | "predictions";
  readonly gateways: number;
  readonly start: Start;
  readonly hitRate: number;
  /** Hit rates of the requests in the minutes (`WINDOW_MINUTES`) after the replacement. */
  readonly windowHitRates: readonly number[];
  /** By how many points they are lower than without the replacement. */
  readonly dips: readonly number[];
}

/** Simulates all cases. @param onResult called after each, with how many are done and how many there are */
export async function simulateReplacements(
  options: { readonly minutes: number; readonly trace: string },
  onResult: (done: number, all: number) => void,
): Promise<ReplacementRow[]> {
  const cases = (["events", "predictions"] as const).flatMap((knowledge) =>
    [1, 2].flatMap((gateways) =>
      STARTS.map(
        (start) => ({ knowledge, gateways, start, arrival: "spread", sharing: "told, own shares" }) as const,
      ),
    ),
  );
  const results = new Map<ReplicaCase, SimulationResult>();
  const thread = new URL("thread.ts", import.meta.url);
  await runJobs<ReplicaCase, SimulationResult>(thread, options, cases, (replica, result) => {
    results.set(replica, result);
    onResult(results.size, cases.length);
  });
  return cases.map((replica) => {
    const { hitRate, windowHitRates } = results.get(replica)!;
    const undisturbed = results.get(
      cases.find(
        ({ knowledge, gateways }) => knowledge === replica.knowledge && gateways === replica.gateways,
      )!,
    )!;
    const dips = windowHitRates.map((rate, index) => 100 * (undisturbed.windowHitRates[index]! - rate));
    const { knowledge, gateways, start } = replica;
    return { knowledge, gateways, start, hitRate, windowHitRates, dips };
  });
}

/** The rows as text. */
export function replacementTable(rows: readonly ReplacementRow[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const lines = rows.map(({ knowledge, gateways, start, hitRate, windowHitRates, dips }) => [
    knowledge,
    String(gateways),
    start,
    percent(hitRate),
    ...windowHitRates.map((rate, index) => `${percent(rate)} (${signed(-dips[index]!)})`),
  ]);
  const windows = WINDOW_MINUTES.map((minutes) => `${minutes} min after`);
  const head = ["known by", "gateways", "one of them", "hit rate", ...windows];
  const note =
    "A gateway is replaced in the middle. In brackets: points against the run in which it is not. Bound: −1 if warm.";
  return `${alignColumns([head, ...lines]).join("\n")}\n\n${note}`;
}

const signed = (points: number) =>
  `${points > 0 ? "+" : points < 0 ? "−" : "±"}${Math.abs(points).toFixed(2)}`;
