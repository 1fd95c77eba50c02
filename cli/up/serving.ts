import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

/** How the start of `stator up` ended. */
export type StartOutcome =
  /** Everything runs. `model` is the workers' own name for it: a custom engine may ignore --model-name. */
  | { readonly model: string }
  /** It can never run, and why. */
  | { readonly failure: string };

const FIRST_PAUSE_MS = 20;
const LAST_PAUSE_MS = 500;

/**
 * Waits until the gateway can answer with every worker, except those that --index-workers shuts out. Processes may
 * restart meanwhile.
 * @param urls current addresses of the gateway and of each worker's `/health`, by name; a restart changes them
 * @param workers how many workers there are
 * @returns undefined if `stopping` is aborted first
 */
export async function untilServing(
  urls: ReadonlyMap<string, string>,
  workers: number,
  stopping: AbortSignal,
): Promise<StartOutcome | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; !stopping.aborted; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    const gateway = urls.get("gateway");
    const others = [...urls].filter(([name]) => !isGateway(name)).map(([, url]) => url);
    const health = await read(`${gateway}/health`, gatewayHealth);
    if (health !== undefined && health.refused.length > 0)
      return { failure: "the gateway refuses a worker; its log says why" };
    if (health !== undefined && joined(health) >= workers) {
      const model = await modelOf(others);
      if (model !== undefined) return { model };
    }
    await sleep(pauseMs);
  }
  return undefined;
}

/** The model of the workers that answer; undefined if none can be reached. */
async function modelOf(urls: readonly string[]): Promise<string | undefined> {
  const all = await Promise.all(urls.map((url) => read(`${url}/health`, workerHealth)));
  return all.find((worker) => worker !== undefined && worker.role !== "encode")?.model;
}

/** Counts the workers that have started and whose model can answer. Operators may attach engines meanwhile. */
const joined = ({ models }: z.infer<typeof gatewayHealth>): number =>
  models
    .filter(({ status }) => status === "ready")
    .flatMap((model) => model.workers)
    .filter(({ kind, status }) => kind === "worker" && !STARTING.has(status)).length;

/** Whether the process of this name is a gateway; workers are named by their engines. */
export const isGateway = (name: string): boolean => /^gateway(-\d+)?$/.test(name);

const STARTING = new Set(["connecting", "starting"]);

const gatewayHealth = z.object({
  models: z.array(
    z.object({
      status: z.string(),
      workers: z.array(z.object({ kind: z.string(), status: z.string() })),
    }),
  ),
  refused: z.array(z.object({})).default([]),
});

const workerHealth = z.object({ model: z.string(), role: z.string().optional() });

/** @returns undefined if the process cannot be reached, because it is restarting for example */
async function read<Body>(url: string, schema: z.ZodType<Body>): Promise<Body | undefined> {
  try {
    return schema.parse(await (await fetch(url)).json());
  } catch {
    return undefined;
  }
}
