import type { KvTransfer, Metrics } from "#runtime";
import type { KvAgent } from "./agent.ts";
import type { HeldExports } from "./exports.ts";

/** How exported KV came to be freed: its reader was done, its reader was lost, or its lease ran out. */
export type ExportEnd = "taken" | "lost" | "expired";

/** The metrics of a worker whose engine exports and imports KV. */
export interface KvMetrics {
  exportEnded(end: ExportEnd): void;
  transferred(transfer: KvTransfer, kind: string): void;
}

/** Bounds of the buckets of transfers, in seconds: 100 µs to 30 s. */
const TRANSFER_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export function createKvMetrics(all: Metrics, exports: HeldExports, agent: KvAgent): KvMetrics {
  all.readGauge("worker_kv_exports", "KV exports held for other workers.", () => exports.count);
  all.readGauge("worker_kv_export_bytes", "Size of the KV exports held.", () => exports.bytes);
  all.readGauge(
    "worker_kv_transfer_memory_bytes",
    "Memory in use for KV exports and imports, sizes rounded up.",
    () => agent.memory.usedBytes,
  );
  const info = all.gauge("worker_kv_transfer_info", "1 for the kind of KV transfer in use.", ["kind"]);
  Object.assign(info, {
    collect: () => {
      info.reset();
      if (agent.status !== undefined) info.set({ kind: agent.status.kind }, 1);
    },
  });
  const ended = all.counter(
    "worker_kv_exports_ended_total",
    "KV exports freed: taken by a reader, lost with its connection, or expired.",
    ["end"],
  );
  const transfers = all.counter("worker_kv_transfers_total", "KV transfers to this worker, by outcome.", [
    "outcome",
    "kind",
  ]);
  const bytes = all.counter("worker_kv_transfer_bytes_total", "KV read from other workers, in bytes.", [
    "kind",
  ]);
  const seconds = all.histogram(
    "worker_kv_transfer_seconds",
    "Time until a request's KV was there, or given up.",
    TRANSFER_BUCKETS,
    ["outcome"],
  );
  return {
    exportEnded: (end) => ended.inc({ end }),
    transferred: (transfer, kind) => {
      transfers.inc({ outcome: transfer.outcome, kind });
      bytes.inc({ kind }, transfer.bytes);
      seconds.observe({ outcome: transfer.outcome }, transfer.microseconds / 1e6);
    },
  };
}
