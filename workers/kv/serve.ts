import type { TransferKind } from "#native";
import type { Handler, Logger, Metrics, ModelCard } from "#runtime";
import type { Engine } from "../engine.ts";
import type { WorkerMetrics } from "../metrics.ts";
import { prefillHandler } from "../prefill-handler.ts";
import { KvAgent, type KvTransferAgent } from "./agent.ts";
import { HeldExports } from "./exports.ts";
import { KvImporter } from "./importer.ts";
import { createKvMetrics } from "./metrics.ts";

/** How a worker exchanges KV with others. */
export interface KvTransferOptions {
  /** How KV travels. Default `auto`: the best way that there is. */
  readonly kind?: "auto" | TransferKind | undefined;
  /** How long exported KV is held at most, in milliseconds. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /** How long a transfer may take, in milliseconds. Default 10,000. A fifth of it without any progress ends it too. */
  readonly timeoutMs?: number | undefined;
}

/** What the host knows of the worker. */
export interface KvServiceContext extends KvTransferOptions {
  readonly engine: Engine;
  readonly card: ModelCard;
  readonly all: Metrics;
  readonly metrics: WorkerMetrics;
  readonly log: Logger;
  /** Opens the transfer agent; called when it is first needed. */
  openAgent(): Promise<KvTransferAgent>;
}

/** The part of a worker that exchanges KV with others. */
export interface KvService {
  readonly importer: KvImporter;
  /** The endpoint `prefill`; undefined if the engine does not export KV. */
  readonly prefill: Handler | undefined;
  /** Opens the transfer agent now, so that the log says at the start how KV travels. */
  prepare(): Promise<void>;
  /** For `/health`. */
  health(): object;
  close(): Promise<void>;
}

const LEASE_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** The part of a transfer's time that may pass without progress. */
const STALL_SHARE = 1 / 5;

export function createKvService(context: KvServiceContext): KvService {
  const { engine, card, all, metrics: worker, log, timeoutMs = TIMEOUT_MS, leaseMs = LEASE_MS } = context;
  const agent = new KvAgent(context.openAgent, log);
  const bounds = { timeoutMs, stallMs: timeoutMs * STALL_SHARE };
  if (card.kvFormat === undefined)
    return {
      importer: new KvImporter({ engine, agent, bounds, log, onTransfer: () => {} }),
      prefill: undefined,
      async prepare() {},
      health: () => ({}),
      async close() {},
    };
  const exports = new HeldExports(card.kvFormat, agent);
  const metrics = createKvMetrics(all, exports, agent);
  return {
    importer: new KvImporter({ engine, agent, bounds, log, onTransfer: metrics.transferred }),
    prefill: prefillHandler({
      ...{ engine, card, exports, leaseMs, log },
      metrics: worker,
      onExportEnd: metrics.exportEnded,
    }),
    async prepare() {
      await agent.open();
    },
    health: () => ({
      kvTransfer: { ...agent.status, exports: exports.count, exportBytes: exports.bytes },
    }),
    close: () => agent.close(),
  };
}
