import type { Encoded, MediaEncoding } from "../../../engines/encoding/types.ts";
import { withFields } from "../../../kernel/json-fields.ts";
import { withEdits } from "../../../media/edit-json.ts";
import type { EngineMember } from "../../../models/members/engine-member.ts";
import { SharedEncoding } from "../../encoding/shared-encoding.ts";
import type { EncodableMedium } from "../job.ts";
import {
  callEncoder,
  type EncodedBody,
  type EncodeRun,
  type EncodeRunOptions,
  failureContext,
} from "./encode-run.ts";
import type { EncoderCall } from "./encoder-call.ts";

/** Has each medium encoded once, for all requests that have it. */
export class MediaEncodeRun implements EncodeRun {
  readonly #encoding: MediaEncoding;
  readonly #options: EncodeRunOptions;
  readonly #shared: SharedEncoding<EngineMember, EncodableMedium, Encoded>;

  constructor(encoding: MediaEncoding, options: EncodeRunOptions) {
    this.#encoding = encoding;
    this.#options = options;
    this.#shared = new SharedEncoding({
      ...failureContext(options),
      table: options.job.model.encoders,
      encodeMs: options.context.options.encodeMs,
      // Embeddings lie where any engine finds them.
      trustsKnown: true,
      call: (encoder, share, index) => this.#ask(encoder, share, index),
    });
  }

  async encode(): Promise<EncodedBody | undefined> {
    const { media, encoders, body } = this.#options;
    const shares = await this.#shared.encode(media, encoders);
    if (shares === undefined) return undefined;
    const { encoded, fresh } = shares;
    if (encoded.size === 0) return { body, fields: undefined, encoders: [], ids: [], mayBeRefused: false };
    const fields = this.#encoding.fields(encoded);
    return {
      body: withFields(this.#withoutData(encoded, fresh), new Set(Object.keys(fields)), fields),
      fields,
      encoders: shares.encoders,
      ids: [...encoded.keys()],
      mayBeRefused: false,
    };
  }

  end(): void {
    this.#shared.end();
  }

  /** Sends an encoder its share of the media. */
  #ask(
    encoder: EngineMember,
    share: readonly EncodableMedium[],
    index: number,
  ): EncoderCall<ReadonlyMap<string, Encoded>> {
    const { job } = this.#options;
    // The request may name an adapter, which encoders need not have.
    const body = { ...job.json, model: encoder.model.name };
    const request = this.#encoding.request({ path: job.path, body }, share);
    const ids = share.map(({ id }) => id);
    return callEncoder(this.#options, encoder, index, request, (answer) =>
      this.#encoding.readAnswer(answer, ids),
    );
  }

  /** The body without the data of media that were encoded just now. */
  #withoutData(encoded: ReadonlyMap<string, Encoded>, fresh: ReadonlySet<string>): Uint8Array {
    const { job, body } = this.#options;
    const edits = job.encodable.flatMap(({ id, kind, steps, takesId }) => {
      const found = encoded.get(id);
      const isFresh = found !== undefined && fresh.has(id) && takesId;
      const part = isFresh ? this.#encoding.partWithout(kind, id, found) : undefined;
      return part === undefined ? [] : [{ steps, change: () => part }];
    });
    return withEdits(body, edits);
  }
}
