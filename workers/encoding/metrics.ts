import type { Metrics } from "#runtime";
import type { EncodedMedia, MediumOutcome } from "./encoded-media.ts";

/** The metrics of a worker that encodes media. */
export function createEncodingMetrics(
  all: Metrics,
  media: () => EncodedMedia,
): (outcome: MediumOutcome) => void {
  all.readGauge("worker_encoded_media", "Encoded media held for other workers.", () => media().count);
  all.readGauge("worker_encoded_media_bytes", "Size of the encoded media held.", () => media().bytes);
  const encoded = all.counter(
    "worker_media_encoded_total",
    "Media that were asked for: encoded, held already, refused, or asked for without data and not held.",
    ["outcome"],
  );
  return (outcome) => encoded.inc({ outcome });
}

/** The metrics of a worker whose engine uses what encode workers make. */
export function createFeatureMetrics(all: Metrics): (outcome: string, kind: string, bytes: number) => void {
  const transfers = all.counter(
    "worker_feature_transfers_total",
    "Features of media read from encode workers, by outcome.",
    ["outcome", "kind"],
  );
  const received = all.counter("worker_feature_bytes_total", "Features read from encode workers, in bytes.", [
    "kind",
  ]);
  return (outcome, kind, bytes) => {
    transfers.inc({ outcome, kind });
    received.inc({ kind }, bytes);
  };
}
