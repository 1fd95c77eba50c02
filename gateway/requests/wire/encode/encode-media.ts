import type { Encoded, MediaEncoding } from "../../../engines/encoding/types.ts";
import { withFields } from "../../../kernel/json-fields.ts";
import { withEdits } from "../../../media/edit-json.ts";
import type { SharedWork } from "../../../routing/encode/encoder-table.ts";
import type { EncodableMedium } from "../job.ts";
import {
  callEncoder,
  type EncodedBody,
  type EncodeRun,
  type EncodeRunOptions,
  onEncodeFailure,
  within,
} from "./encode-run.ts";

type Work = SharedWork<Encoded>;

/** Has each medium encoded once, for all requests that have it. */
export class MediaEncodeRun implements EncodeRun {
  readonly #encoding: MediaEncoding;
  readonly #options: EncodeRunOptions;
  /** What it waits for. */
  #joined: Work[] = [];
  #isOver = false;

  constructor(encoding: MediaEncoding, options: EncodeRunOptions) {
    this.#encoding = encoding;
    this.#options = options;
  }

  async encode(): Promise<EncodedBody | undefined> {
    const { job, context, media, body } = this.#options;
    const { encoders, metrics } = job.model;
    const { encodes } = metrics.routing;
    const encoded = new Map<string, Encoded>();
    const fresh = new Set<string>();
    const unknown = new Map<string, EncodableMedium>();
    const waiting = new Map<string, Work>();
    const now = performance.now();
    for (const medium of media) {
      const { id } = medium;
      const known = encoders.known(id, now);
      const pending = encoders.pending(id);
      if (known !== undefined) encoded.set(id, known);
      else if (pending !== undefined) waiting.set(id, pending);
      else unknown.set(id, medium);
    }
    encodes.count("shared", "", encoded.size + waiting.size);
    const names = this.#ask([...unknown.values()]);
    for (const id of unknown.keys()) {
      const work = encoders.pending(id);
      if (work !== undefined) waiting.set(id, work);
    }
    this.#joined = [...waiting.values()];
    for (const work of this.#joined) work.join();
    const all = Array.from(waiting, async ([id, work]) => {
      try {
        encoded.set(id, await within(context.options.encodeMs, work.result));
        fresh.add(id);
        if (unknown.has(id)) encodes.count("remote", "", 1);
      } catch (error) {
        if (!this.#isOver) onEncodeFailure(this.#options, error, 1);
      }
    });
    await Promise.all(all);
    if (this.#isOver) return undefined;
    this.end();
    if (encoded.size === 0) return { body, fields: undefined, encoders: [], ids: [], mayBeRefused: false };
    const fields = this.#encoding.fields(encoded);
    return {
      body: withFields(this.#withoutData(encoded, fresh), new Set(Object.keys(fields)), fields),
      fields,
      encoders: names,
      ids: [...encoded.keys()],
      mayBeRefused: false,
    };
  }

  end(): void {
    this.#isOver = true;
    for (const work of this.#joined.splice(0)) work.leave();
  }

  /** Sends each encoder its share of the media. @returns the encoders' names */
  #ask(media: readonly EncodableMedium[]): readonly string[] {
    const { job, encoders: ready } = this.#options;
    const { encoders } = job.model;
    const shares = new Map<string, EncodableMedium[]>();
    const names = ready.map(({ instance }) => instance.name);
    for (const medium of media) {
      const name = encoders.choose(medium.id, names);
      shares.set(name, [...(shares.get(name) ?? []), medium]);
    }
    for (const [name, share] of shares) {
      const encoder = ready.find(({ instance }) => instance.name === name)!;
      // The request may name an adapter, which encoders need not have.
      const body = { ...job.json, model: encoder.model.name };
      const request = this.#encoding.request({ path: job.path, body }, share);
      const ids = share.map(({ id }) => id);
      const call = callEncoder(this.#options, encoder, shares.size, request, (answer) =>
        this.#encoding.readAnswer(answer, ids),
      );
      for (const { id, tokens } of share) {
        const result = call.result.then((answers) => answers.get(id)!);
        result.catch(() => {});
        encoders.begin(id, name, tokens, { result, join: () => call.join(), leave: () => call.leave() });
      }
    }
    return [...shares.keys()];
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
