import { messageOf } from "#runtime";
import type { Encoded, Encoding } from "../../../engines/encoding/types.ts";
import { withFields } from "../../../kernel/json-fields.ts";
import { withEdits } from "../../../media/edit-json.ts";
import type { EngineMember } from "../../../models/members/engine-member.ts";
import type { SharedWork } from "../../../routing/encode/encoder-table.ts";
import { isEncodeWorker } from "../../../routing/filters/role.ts";
import type { Route } from "../../../routing/route.ts";
import { EncodeError } from "../../encoding/encode-error.ts";
import { engineRequest } from "../engine-request.ts";
import type { EncodableMedium, WireContext, WireJob } from "../job.ts";
import { timeoutsOf } from "../timeouts.ts";
import { EncoderCall } from "./encoder-call.ts";

/** What a request's media were encoded to, for the engine that computes its prompt. */
export interface EncodedBody {
  /** With what encoders have answered, and without the media where their data are not needed. */
  readonly body: Uint8Array;
  /** The encoders that did it for this request. */
  readonly encoders: readonly string[];
}

type Work = SharedWork<Encoded>;

/**
 * Has the media of one attempt encoded by other engines before the prompt is computed. What cannot be encoded there, the
 * next engine encodes itself.
 */
export class EncodeStage {
  readonly #job: WireJob;
  readonly #context: WireContext;
  /** What the current attempt waits for. */
  #joined: Work[] = [];
  /** Of an earlier attempt: its engine may have failed because of what it was handed. */
  #handedOver: readonly string[] = [];
  #turn = 0;

  constructor(job: WireJob, context: WireContext) {
    this.#job = job;
    this.#context = context;
  }

  /**
   * @param target computes the prompt
   * @returns undefined if there is nothing to wait for; else resolves to the changed body, or to undefined if the attempt has
   * ended meanwhile
   */
  begin(
    route: Route<EngineMember>,
    target: EngineMember,
    body: Uint8Array,
  ): Promise<EncodedBody | undefined> | undefined {
    const { media, model } = this.#job;
    const encoding = target.engine.adapter?.encoding;
    if (this.#job.encodable.length === 0 || encoding === undefined || media === undefined) return undefined;
    const encoders = model.members().filter(isEncodeWorker);
    if (encoders.length === 0) return undefined;
    const { encodes } = model.metrics.routing;
    const leftHere = (reason: string) => encodes.count("local", reason, this.#job.encodable.length);
    // The engine that had what encoders made has failed: it may not find it.
    if (this.#handedOver.length > 0) {
      model.encoders.forget(this.#handedOver);
      leftHere("failed");
      return undefined;
    }
    // A decode engine that computes a prompt itself need not get what encoders make.
    if (target.instance.card.role === "decode") {
      leftHere("prefill_here");
      return undefined;
    }
    const ready = encoders.filter(
      ({ isReady, engine }) => isReady && engine.adapter?.kind === target.engine.adapter?.kind,
    );
    if (ready.length === 0) {
      leftHere("none_ready");
      return undefined;
    }
    const cachedTokens = this.#cachedTokens(route, target);
    const wanted = this.#job.encodable.filter(({ end }) => end > cachedTokens);
    encodes.count("cached", "", this.#job.encodable.length - wanted.length);
    if (wanted.length === 0) return undefined;
    return this.#encode(encoding, wanted, ready, body);
  }

  /** The attempt has ended: nobody waits for the encoders any more. */
  end(): void {
    this.#turn++;
    for (const work of this.#joined.splice(0)) work.leave();
  }

  /** How far the target has the prompt cached, in tokens. */
  #cachedTokens({ worker, overlapBlocks, plan }: Route<EngineMember>, target: EngineMember): number {
    const { prompt, model } = this.#job;
    if (!prompt.isExact) return 0;
    const blocks = target === worker ? overlapBlocks : (plan.prefill?.overlapBlocks ?? 0);
    // The last token is always computed.
    return Math.min(blocks * model.blockSize, prompt.tokens.length - 1);
  }

  async #encode(
    encoding: Encoding,
    wanted: readonly EncodableMedium[],
    ready: readonly EngineMember[],
    body: Uint8Array,
  ): Promise<EncodedBody | undefined> {
    const turn = ++this.#turn;
    const { encoders, metrics } = this.#job.model;
    const { encodes } = metrics.routing;
    const encoded = new Map<string, Encoded>();
    const fresh = new Set<string>();
    const unknown = new Map<string, EncodableMedium>();
    const waiting = new Map<string, Work>();
    const now = performance.now();
    for (const medium of wanted) {
      const { id } = medium;
      const known = encoders.known(id, now);
      const pending = encoders.pending(id);
      if (known !== undefined) encoded.set(id, known);
      else if (pending !== undefined) waiting.set(id, pending);
      else unknown.set(id, medium);
    }
    encodes.count("shared", "", encoded.size + waiting.size);
    const names = this.#ask(encoding, [...unknown.values()], ready);
    for (const id of unknown.keys()) {
      const work = encoders.pending(id);
      if (work !== undefined) waiting.set(id, work);
    }
    this.#joined = [...waiting.values()];
    for (const work of this.#joined) work.join();
    const all = Array.from(waiting, async ([id, work]) => {
      try {
        encoded.set(id, await within(this.#context.options.encodeMs, work.result));
        fresh.add(id);
        if (unknown.has(id)) encodes.count("remote", "", 1);
      } catch (error) {
        const reason = error instanceof EncodeError ? error.reason : "encoder_unusable";
        if (turn !== this.#turn) return;
        encodes.count("fallback", reason, 1);
        this.#warn(error);
      }
    });
    await Promise.all(all);
    if (turn !== this.#turn) return undefined;
    this.end();
    this.#handedOver = [...encoded.keys()];
    if (encoded.size === 0) return { body, encoders: [] };
    return { body: this.#bodyWith(encoding, encoded, fresh, body), encoders: names };
  }

  /** Sends each encoder its share of the media. @returns the encoders */
  #ask(
    encoding: Encoding,
    media: readonly EncodableMedium[],
    ready: readonly EngineMember[],
  ): readonly string[] {
    const { encoders, metrics } = this.#job.model;
    const shares = new Map<string, EncodableMedium[]>();
    const names = ready.map(({ instance }) => instance.name);
    for (const medium of media) {
      const name = encoders.choose(medium.id, names);
      shares.set(name, [...(shares.get(name) ?? []), medium]);
    }
    for (const [name, share] of shares) {
      const encoder = ready.find(({ instance }) => instance.name === name)!;
      const call = new EncoderCall({
        encoder,
        request: this.#requestTo(encoder, encoding, share, shares.size),
        transport: this.#context.transport,
        timeouts: timeoutsOf(this.#context.options),
        readAnswer: (answer) =>
          encoding.readAnswer(
            answer,
            share.map(({ id }) => id),
          ),
        duration: metrics.routing.encodes.duration,
      });
      for (const { id, tokens } of share) {
        const result = call.result.then((answers) => answers.get(id)!);
        result.catch(() => {});
        encoders.begin(id, name, tokens, { result, join: () => call.join(), leave: () => call.leave() });
      }
    }
    return [...shares.keys()];
  }

  #requestTo(encoder: EngineMember, encoding: Encoding, media: readonly EncodableMedium[], index: number) {
    const { json = {}, requestId } = this.#job;
    // The request may name an adapter, which encoders need not have.
    const own = { ...json, model: encoder.model.name };
    const { path, body } = encoding.request({ path: this.#job.path, body: own }, media);
    // A request id of its own, as encoders need one for each.
    const id = `${requestId}:${index}:${crypto.randomUUID().slice(0, 8)}`;
    const headers = this.#job.headers.filter(([name]) => name !== "x-request-id");
    const job = { ...this.#job, method: "POST", path, headers: [...headers, ["x-request-id", id] as const] };
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    return engineRequest(
      job,
      { worker: encoder, rank: 0, overlapBlocks: 0 },
      { body: bytes, mayReuse: true },
    );
  }

  #bodyWith(
    encoding: Encoding,
    encoded: ReadonlyMap<string, Encoded>,
    fresh: ReadonlySet<string>,
    body: Uint8Array,
  ): Uint8Array {
    const edits = this.#job.encodable.flatMap(({ id, kind, steps, takesId }) => {
      const found = encoded.get(id);
      const isFresh = found !== undefined && fresh.has(id) && takesId;
      const part = isFresh ? encoding.partWithout(kind, id, found) : undefined;
      return part === undefined ? [] : [{ steps, change: () => part }];
    });
    const fields = encoding.fields(encoded);
    return withFields(withEdits(body, edits), new Set(Object.keys(fields)), fields);
  }

  #warn(error: unknown): void {
    this.#context.warnings.warn("encode", "media were not encoded by an encode engine", {
      request: this.#job.requestId,
      reason: messageOf(error),
    });
  }
}

/** @throws EncodeError if it takes longer than `ms` */
function within<Value>(ms: number, work: Promise<Value>): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const timer = setTimeout(
    () => reject(new EncodeError("encoder_timeout", `It did not answer within ${ms / 1000} s.`)),
    ms,
  );
  work.then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}
