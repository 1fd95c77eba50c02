import type { TransferKind } from "#native";
import { type Handler, type Logger, type Metrics, type ModelCard, textFormat } from "#runtime";
import { encodeHandler } from "../encoding/encode-handler.ts";
import { EncodedMedia } from "../encoding/encoded-media.ts";
import { FeatureImporter } from "../encoding/feature-importer.ts";
import { createEncodingMetrics, createFeatureMetrics } from "../encoding/metrics.ts";
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
  /** How much of encoded media is held at most, in bytes. Default 256 MiB. */
  readonly encodedBytes?: number | undefined;
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

/** The part of a worker that exchanges KV, and features of media, with others. */
export interface KvService {
  readonly importer: KvImporter;
  readonly features: FeatureImporter;
  /** The endpoint `prefill`; undefined if the engine does not export KV. */
  readonly prefill: Handler | undefined;
  /** The endpoint `encode`; undefined if the engine does not encode media. */
  readonly encode: Handler | undefined;
  /** Opens the transfer agent now, so that the log says at the start how KV and features travel. */
  prepare(): Promise<void>;
  /** For `/health`. */
  health(): object;
  close(): Promise<void>;
}

const LEASE_MS = 30_000;
const TIMEOUT_MS = 10_000;
const ENCODED_BYTES = 256 * 1024 * 1024;
/** The part of a transfer's time that may pass without progress. */
const STALL_SHARE = 1 / 5;

export function createKvService(context: KvServiceContext): KvService {
  const { card, all, metrics: worker, log, leaseMs = LEASE_MS, timeoutMs = TIMEOUT_MS } = context;
  const { engine } = context;
  const agent = new KvAgent(context.openAgent, log);
  const bounds = { timeoutMs, stallMs: timeoutMs * STALL_SHARE };
  const exports = card.kvFormat === undefined ? undefined : new HeldExports(card.kvFormat, agent);
  const metrics = exports && createKvMetrics(all, exports, agent);
  const encoded = engine.encode && encodedMedia(context, agent);
  const usesAgent = exports !== undefined || (card.featureFormat ?? textFormat) !== textFormat;
  return {
    importer: new KvImporter({ engine, agent, bounds, log, onTransfer: metrics?.transferred ?? (() => {}) }),
    features: new FeatureImporter({
      ...{ agent, bounds, log, format: card.featureFormat },
      onTransfer: card.featureFormat === undefined ? () => {} : createFeatureMetrics(all),
    }),
    prefill:
      exports &&
      prefillHandler({
        ...{ engine, card, exports, leaseMs, log },
        metrics: worker,
        onExportEnd: metrics?.exportEnded ?? (() => {}),
      }),
    encode: encoded && encodeHandler(encoded, log),
    async prepare() {
      if (usesAgent) await agent.open();
    },
    health: () => ({
      ...(exports && {
        kvTransfer: { ...agent.status, exports: exports.count, exportBytes: exports.bytes },
      }),
      ...(encoded && { encodedMedia: { count: encoded.count, bytes: encoded.bytes } }),
    }),
    async close() {
      encoded?.clear();
      await agent.close();
    },
  };
}

/** What the engine makes of media, held where other workers can read it. */
function encodedMedia(
  { engine, card, all, encodedBytes = ENCODED_BYTES }: KvServiceContext,
  agent: KvAgent,
): EncodedMedia {
  const held = new HeldExports(card.featureFormat ?? textFormat, agent);
  const media: EncodedMedia = new EncodedMedia({
    capacity: encodedBytes,
    encode: (wanted, signal) => engine.encode!(wanted, signal),
    hold: (features, tokens) =>
      held.hold({
        ...{ tokens, bytes: features.length },
        write: async (memory) => memory.set(features),
        release() {},
      }),
    onMedium: createEncodingMetrics(all, () => media),
  });
  return media;
}
