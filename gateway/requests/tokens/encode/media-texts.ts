import type { EncodedMedium, Warnings } from "#runtime";
import type { EncodeMetrics } from "../../../kernel/metrics.ts";
import type { WorkerMember } from "../../../models/members/member.ts";
import type { Models } from "../../../models/models.ts";
import { SharedEncoding } from "../../encoding/shared-encoding.ts";
import type { JobMedium } from "../job.ts";
import { EncodeCall } from "./encode-call.ts";

/** What a medium reads, or why it cannot be read. */
export type Reading = Extract<EncodedMedium, { kind: "text" | "refused" }>;

export interface ReadTextsOptions {
  readonly models: Pick<Models, "readers" | "readings">;
  readonly requestId: string;
  /** Of the model that gets the texts. */
  readonly metrics: EncodeMetrics;
  /** How long a reader may take. */
  readonly encodeMs: number;
  readonly warnings: Warnings;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

type MediumToRead = Omit<JobMedium, "position" | "features" | "path">;

/** How many readers a medium is sent to, one after another. */
const MOST_READERS = 3;

/**
 * Has media read by workers that turn them into text, each once however many requests have it.
 * @returns by the media's ids; without those that no reader could read
 * @throws the signal's reason
 */
export async function readTexts(
  media: readonly MediumToRead[],
  options: ReadTextsOptions,
): Promise<ReadonlyMap<string, Reading>> {
  const { models, signal } = options;
  const encoding = encodingFor(options);
  const end = () => encoding.end();
  signal.addEventListener("abort", end, { once: true });
  const readings = knownReadings(media, options);
  const tried = new Set<string>();
  try {
    for (let turn = 0; turn < MOST_READERS; turn++) {
      const left = media.filter(({ id }) => !readings.has(id));
      const ready = suitable(models.readers(), left, tried);
      if (left.length === 0 || ready.length === 0) break;
      const shares = await encoding.encode(
        left.map((medium) => ({ ...medium, tokens: 1 })),
        ready,
      );
      signal.throwIfAborted();
      for (const [id, result] of shares?.encoded ?? [])
        if (result.kind === "text" || result.kind === "refused") readings.set(id, result);
      for (const name of shares?.encoders ?? []) tried.add(name);
    }
    return readings;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** What has been read before, which needs no reader. */
function knownReadings(media: readonly MediumToRead[], { models, metrics }: ReadTextsOptions) {
  const known = new Map<string, Reading>();
  for (const { id } of media) {
    const result = models.readings.known(id, performance.now());
    if (result?.kind === "text" || result?.kind === "refused") known.set(id, result);
  }
  metrics.count("shared", "", known.size);
  return known;
}

/** The readers that take all of the media, and have not failed with one of them if there are others. */
function suitable(
  readers: readonly WorkerMember[],
  media: readonly MediumToRead[],
  tried: ReadonlySet<string>,
): readonly WorkerMember[] {
  const able = readers.filter(({ instance }) =>
    media.every(({ kind }) => instance.card.media?.includes(kind)),
  );
  const fresh = able.filter(({ instance }) => !tried.has(instance.name));
  return fresh.length > 0 ? fresh : able;
}

function encodingFor({ models, requestId, metrics, encodeMs, warnings }: ReadTextsOptions) {
  return new SharedEncoding<WorkerMember, MediumToRead & { readonly tokens: number }, EncodedMedium>({
    table: models.readings,
    ...{ requestId, metrics, encodeMs, warnings },
    trustsKnown: false,
    call: (encoder, media) =>
      new EncodeCall({
        ...{ encoder, media, requestId },
        held: NONE,
        deadlineMs: encodeMs,
        duration: metrics.duration,
      }),
  });
}

const NONE: ReadonlySet<string> = new Set();
