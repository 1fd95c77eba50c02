import type { EncodedMedium, KvSource, ModelCard } from "#runtime";
import type { WorkerMember } from "../../../models/members/member.ts";
import { isEncodeWorker } from "../../../routing/filters/role.ts";
import { SharedEncoding } from "../../encoding/shared-encoding.ts";
import type { LifeContext } from "../../life.ts";
import type { JobMedium, TokenJob } from "../job.ts";
import { EncodeCall } from "./encode-call.ts";

/** What encode workers hold of a request's media, for the worker that answers. */
export interface MediaFeatures {
  /** By the media's ids. */
  readonly sources: ReadonlyMap<string, KvSource>;
  /** The names of the encode workers. */
  readonly encoders: readonly string[];
}

/**
 * Has the media of one attempt encoded by encode workers, from which the worker that answers reads their features. What
 * cannot be encoded there, that worker encodes itself.
 */
export class MediaFeaturesStage {
  readonly #job: TokenJob;
  readonly #encoding: SharedEncoding<WorkerMember, JobMedium & { readonly tokens: number }, EncodedMedium>;

  constructor(job: TokenJob, { options, warnings }: LifeContext) {
    this.#job = job;
    const { model, requestId } = job;
    const { encodes: metrics } = model.metrics.routing;
    this.#encoding = new SharedEncoding({
      table: model.encoders,
      ...{ metrics, warnings, requestId },
      encodeMs: options.encodeMs,
      // Only the encoder knows what it still holds.
      trustsKnown: false,
      call: (encoder, share) =>
        new EncodeCall({
          ...{ encoder, requestId },
          media: share,
          held: new Set(
            share.flatMap(({ id }) => (model.encoders.holderOf(id) === encoder.instance.name ? [id] : [])),
          ),
          deadlineMs: options.encodeMs,
          duration: metrics.duration,
        }),
    });
  }

  /** @returns undefined if there is nothing to wait for; else resolves to undefined if the attempt has ended meanwhile */
  begin(target: WorkerMember): Promise<MediaFeatures | undefined> | undefined {
    const { media, model } = this.#job;
    const { featureFormat } = target.instance.card;
    if (media === undefined || featureFormat === undefined) return undefined;
    if (!model.members().some(isEncodeWorker)) return undefined;
    const ready = model
      .encodersOf(featureFormat)
      .filter(({ instance }) => takesAll(instance.card.media, media.items));
    if (ready.length > 0) return this.#encode(media.items, ready);
    model.metrics.routing.encodes.count("local", "none_ready", media.items.length);
    return undefined;
  }

  /** The attempt has ended. */
  end(): void {
    this.#encoding.end();
  }

  async #encode(
    items: readonly JobMedium[],
    ready: readonly WorkerMember[],
  ): Promise<MediaFeatures | undefined> {
    // The same picture can be in a prompt twice.
    const distinct = new Map(items.map((item) => [item.id, { ...item, tokens: 1 }]));
    const shares = await this.#encoding.encode([...distinct.values()], ready);
    if (shares === undefined) return undefined;
    const sources = new Map<string, KvSource>();
    for (const [id, result] of shares.encoded) if (result.kind === "features") sources.set(id, result.source);
    return { sources, encoders: sources.size === 0 ? [] : shares.encoders };
  }
}

const takesAll = (kinds: ModelCard["media"] = [], items: readonly JobMedium[]): boolean =>
  items.every(({ kind }) => kinds.includes(kind));
