import { expect } from "vitest";
import { metric, until } from "../metrics.ts";
import { FaultCluster, type LaunchOptions } from "./fault-cluster.ts";

export const PREFILL = ["prefill-0", "prefill-1"] as const;
export const DECODE = ["decode-0", "decode-1"] as const;

export interface PoolOptions {
  readonly gateways?: number;
  /** How its workers are launched. */
  readonly place?: LaunchOptions;
}

/** Gateways with two prefill and two decode workers, whatever the length of prompts. */
export async function startPools(discovery: string, { gateways = 1, place }: PoolOptions = {}) {
  const flags = ["--remote-prefill-min-tokens=0", "--remote-prefill-max-wait=1000"];
  const cluster = await FaultCluster.start(discovery, { gateways, flags, workers: 0 });
  for (const name of [...PREFILL, ...DECODE]) addTo(cluster, name, place);
  await cluster.ready(...PREFILL, ...DECODE);
  return cluster;
}

/** Starts, or starts again, a worker with the role that its name begins with. */
export function addTo(cluster: FaultCluster, name: string, place: LaunchOptions = {}) {
  const role = `--role=${name.replace(/-.*/, "")}`;
  return cluster.addWorker(name, { ...place, flags: [role, ...(place.flags ?? [])] });
}

/** How many prompts were computed there, in all gateways. */
export async function prefills(
  cluster: FaultCluster,
  place: "remote" | "local" | "fallback",
): Promise<number> {
  const all = await Promise.all(cluster.urls.map((url) => metric(url, "stator_prefills_total", { place })));
  return all.reduce((sum, each) => sum + each, 0);
}

/** Expects that no worker holds KV for another one any more. */
export async function expectNothingHeld(cluster: FaultCluster): Promise<void> {
  for (const worker of cluster.workers.values()) {
    const [, url] = / ops=(http:\S+)/.exec(worker.stdout + worker.stderr) ?? [];
    if (!worker.isRunning || url === undefined) continue;
    await until(async () => (await metric(url, "stator_worker_kv_exports")) === 0);
    expect(await metric(url, "stator_worker_kv_export_bytes")).toBe(0);
  }
}
