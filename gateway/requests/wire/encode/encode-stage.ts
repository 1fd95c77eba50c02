import { parseExactly } from "../../../kernel/exact-json.ts";
import { isRecord } from "../../../kernel/json.ts";
import type { EngineMember } from "../../../models/members/engine-member.ts";
import { isEncodeWorker } from "../../../routing/filters/role.ts";
import type { Route } from "../../../routing/route.ts";
import type { EncodableMedium, WireContext, WireJob } from "../job.ts";
import { ChatEncodeRun } from "./encode-chat.ts";
import { MediaEncodeRun } from "./encode-media.ts";
import type { EncodedBody, EncodeRun } from "./encode-run.ts";

/** Why no encoder is asked, for metrics. */
type Reason = "failed" | "prefill_here" | "none_ready" | "other_kind" | "unsuited" | "unsupported";

/**
 * Has the media of one attempt encoded by other engines before the prompt is computed. What cannot be encoded there, the
 * next engine encodes itself.
 */
export class EncodeStage {
  readonly #job: WireJob;
  readonly #context: WireContext;
  #run: EncodeRun | undefined;
  /** What an attempt's engine was handed: it may have failed because of that. */
  #handedOver: { readonly ids: readonly string[] } | undefined;

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
    const run = this.#runFor(route, target, body);
    if (run === undefined) return undefined;
    this.#run = run;
    return run.encode().then((encoded) => {
      if (encoded?.fields !== undefined) this.#handedOver = encoded;
      return encoded;
    });
  }

  /** The attempt has ended: nobody waits for the encoders any more. */
  end(): void {
    this.#run?.end();
    this.#run = undefined;
  }

  #runFor(route: Route<EngineMember>, target: EngineMember, body: Uint8Array): EncodeRun | undefined {
    const { encodable, media, model } = this.#job;
    if (encodable.length === 0 || media === undefined) return undefined;
    const all = model.members().filter(isEncodeWorker);
    if (all.length === 0) return undefined;
    const { adapter } = target.engine;
    const encoders = all.filter(({ engine }) => engine.adapter?.kind === adapter?.kind);
    if (encoders.length === 0) {
      const kinds = [...new Set(all.map(({ engine }) => engine.adapter?.kind))].join(", ");
      return this.#leaveHere("other_kind", encodable, [
        `its encode engines are of another kind (${kinds}) than it (${adapter?.kind})`,
        target,
      ]);
    }
    const encoding = adapter?.encoding;
    if (encoding === undefined) return undefined;
    const known = encoding.unit === "medium" ? encodable.filter(({ isKnown }) => isKnown) : encodable;
    if (known.length === 0) return undefined;
    // The engine that had what encoders made has failed: it may not find it.
    if (this.#handedOver !== undefined) {
      model.encoders.forget(this.#handedOver.ids);
      return this.#leaveHere("failed", known);
    }
    // A decode engine that computes a prompt itself need not get what encoders make.
    if (target.instance.card.role === "decode") return this.#leaveHere("prefill_here", known);
    const ready = encoders.filter(({ isReady }) => isReady);
    if (ready.length === 0) return this.#leaveHere("none_ready", known);
    const cachedTokens = this.#cachedTokens(route, target);
    const wanted = known.filter(({ end }) => end > cachedTokens);
    const options = { job: this.#job, context: this.#context, encoders: ready, body };
    if (encoding.unit === "medium") {
      model.metrics.routing.encodes.count("cached", "", known.length - wanted.length);
      return wanted.length === 0 ? undefined : new MediaEncodeRun(encoding, { ...options, media: wanted });
    }
    if (wanted.length === 0) {
      model.metrics.routing.encodes.count("cached", "", known.length);
      return undefined;
    }
    if (target.engine.profile?.takesEncoded !== true)
      return this.#leaveHere("unsupported", known, [encoding.requirement, target]);
    // Numbers stay as they are written, as tools are part of the prompt.
    const chat = parseExactly(new TextDecoder().decode(body));
    const isWhole = known.length === this.#job.mediaCount;
    if (
      !isRecord(chat) ||
      !isWhole ||
      encoding.obstacleOf({ path: this.#job.path.replace(/\?.*$/, ""), body: chat }) !== undefined
    )
      return this.#leaveHere("unsuited", known);
    return new ChatEncodeRun(encoding, chat, { ...options, media: known });
  }

  /** Counts that the target encodes media itself. @param why a clause about the target, if that is always so */
  #leaveHere(
    reason: Reason,
    media: readonly EncodableMedium[],
    why?: readonly [what: string, target: EngineMember],
  ): undefined {
    const { model } = this.#job;
    model.metrics.routing.encodes.count("local", reason, media.length);
    if (why === undefined) return;
    const [what, { instance }] = why;
    this.#context.warnings.once(`${reason} ${model.name}`, `an engine encodes all media itself: ${what}`, {
      model: model.name,
      engine: instance.name,
    });
  }

  /** How far the target has the prompt cached, in tokens. */
  #cachedTokens({ worker, overlapBlocks, plan }: Route<EngineMember>, target: EngineMember): number {
    const { prompt, model } = this.#job;
    if (!prompt.isExact) return 0;
    const blocks = target === worker ? overlapBlocks : (plan.prefill?.overlapBlocks ?? 0);
    // The last token is always computed.
    return Math.min(blocks * model.blockSize, prompt.tokens.length - 1);
  }
}
