import type { Limitation } from "../engines/types.ts";
import { isEncodeWorker } from "../routing/filters/role.ts";
import type { EngineReport } from "./engine-report.ts";
import type { WorkerConnection, WorkerState } from "./members/worker-connection.ts";

/** The state of a Stator worker, in the terms of an engine's. */
export interface WorkerReport extends Omit<EngineReport, "state" | "kind" | "kvEvents"> {
  readonly state: WorkerState;
  readonly kind: "stator";
  readonly kvEvents: Omit<EngineReport["kvEvents"], "kind"> & { readonly kind: "plane" | "stream" | "none" };
}

const OTHER_KEY: Limitation = {
  code: "kv-events-key",
  what: "its KV events are private, under a key that this gateway does not have, so what it holds is only predicted",
  flag: "--kv-events-key",
};

const NO_KV = { contextLength: undefined, blockSize: undefined, totalBlocks: undefined };

/** @param isPrepared whether its model's tokenizer and template are loaded */
export function reportWorker(worker: WorkerConnection, isPrepared: boolean): WorkerReport {
  const { instance, isPredicted } = worker;
  const subject = worker.feed?.isStreamed === false ? undefined : worker.streamSubject;
  const isLoading = worker.state === "ready" && !isPrepared;
  const state = isLoading ? "connecting" : worker.state;
  const { name, address, card } = instance;
  // It computes no prompts, so it has neither a context nor KV, whatever its card says.
  const { contextLength, blockSize, totalBlocks } = isEncodeWorker(worker) ? NO_KV : card;
  return {
    name,
    url: address,
    state,
    reason: isLoading
      ? "its tokenizer is not loaded yet"
      : state === "connecting"
        ? (worker.reason ?? "it is not connected yet")
        : undefined,
    kind: "stator",
    role: card.role,
    version: `${card.engine.name} ${card.engine.version}`,
    models: [
      {
        name: card.name,
        aliases: card.aliases,
        adapters: worker.adapters,
        contextLength,
        tokens: "its tokenizer",
      },
    ],
    blockSize,
    totalBlocks,
    dataParallelSize: card.dataParallelSize,
    kvEvents: {
      kind: isPredicted ? "none" : subject === undefined ? "plane" : "stream",
      endpoints: isPredicted ? [] : [subject ?? address],
      isConnected: worker.feed?.isConnected ?? false,
      batches: worker.feed?.batches ?? 0,
      gaps: worker.feed?.gaps,
    },
    limitations: worker.hasOtherKey ? [OTHER_KEY] : [],
  };
}
