import type { EncodedFields } from "../../engines/encoding/types.ts";
import type { EngineMember } from "../../models/members/engine-member.ts";
import { isPrefillWorker } from "../../routing/filters/role.ts";
import type { PrefillPart } from "../../routing/plan.ts";
import type { RemotePrefill, Route } from "../../routing/route.ts";
import { DividedAttempt, type PrefillFailure } from "./divided-attempt.ts";
import { dividableRequest, dividedBody, engineRequest } from "./engine-request.ts";
import type { WireContext, WireJob } from "./job.ts";
import { timeoutsOf } from "./timeouts.ts";

export interface PrefillHandoffHandler {
  /** The decode engine is to be asked. @param mayReuse see `HttpRequest` */
  ask(route: Route<EngineMember>, body: Uint8Array, mayReuse: boolean): void;
  /** The prefill engine has failed, and the decode engine cannot do without it. */
  onUnanswerable(reason: string): void;
}

/** The request's body for each of its engines. */
export interface HandoffBodies {
  /** For the prefill engine, with what encode engines have made of its media. */
  readonly body: Uint8Array;
  /** For the decode engine, with all media: if the transfer fails, it may have to compute the prompt itself. */
  readonly whole: Uint8Array;
  /** What encode engines have made of its media, if they have. */
  readonly encoded: EncodedFields | undefined;
  /** Whether they are not the client's own. */
  readonly isContinued: boolean;
}

/**
 * How the decode engine's part in an attempt ended: `failed` includes nonsense, `refused` is the status of a bad request, and
 * `lost` a connection without an answer.
 */
export type DecodeOutcome = "worked" | "failed" | "refused" | "lost";

/**
 * The prefill of one request on another engine, attempt by attempt. If it fails, the decode engine gets the plain request
 * and computes the prompt itself; later attempts avoid prefill engines.
 */
export class PrefillHandoff {
  readonly #job: WireJob;
  readonly #context: WireContext;
  readonly #handler: PrefillHandoffHandler;
  /** The current attempt, until the decode engine has answered. */
  #attempt: DividedAttempt | undefined;
  /** The decode engine of the current attempt. */
  #decodeName = "";
  /** The prefill engine of the last failed attempt. */
  #failed: EngineMember | undefined;

  constructor(job: WireJob, context: WireContext, handler: PrefillHandoffHandler) {
    this.#job = job;
    this.#context = context;
    this.#handler = handler;
  }

  /** Whether a prefill engine may compute the prompt in the next attempt. */
  get remotePrefill(): RemotePrefill | undefined {
    if (!this.#job.isDividable) return undefined;
    return this.#failed === undefined ? "possible" : "avoided";
  }

  /** The prefill engine that has failed, if there is another one. */
  get failed(): readonly EngineMember[] {
    const failed = this.#failed;
    if (failed === undefined) return [];
    const isOther = (member: EngineMember) => member !== failed && member.isReady && isPrefillWorker(member);
    return this.#job.model.members().some(isOther) ? [failed] : [];
  }

  /** Whether the decode engine has been asked with what the prefill engine has answered, and has not answered yet. */
  get hasHandedOver(): boolean {
    return this.#attempt?.hasHandedOver === true;
  }

  /** Whether a prefill engine takes part in the current attempt, and the decode engine has not answered yet. */
  get isPending(): boolean {
    return this.#attempt !== undefined;
  }

  /**
   * Has the prompt computed by the prefill engine, before or while the decode engine is asked.
   */
  start(
    route: Route<EngineMember>,
    part: PrefillPart<EngineMember>,
    { body, whole, encoded, isContinued }: HandoffBodies,
  ): void {
    const { adapter, origin, profile, spec } = part.worker.engine;
    const request = dividableRequest(this.#job, isContinued ? whole : undefined);
    if (adapter?.disaggregation === undefined || request === undefined) {
      route.prefillHere();
      this.#handler.ask(route, whole, true);
      return;
    }
    const { transport, options } = this.#context;
    const prefill = {
      url: origin,
      bootstrapPort: profile?.bootstrapPort,
      kvLeaseMs: spec.kvLeaseMs ?? profile?.kvLeaseMs,
    };
    const division = adapter.disaggregation.divide({ ...request, prefill, encoded });
    const { duration } = this.#job.model.metrics.routing.prefills;
    const prefillBody = dividedBody(body, division.prefillFields);
    const attempt: DividedAttempt = new DividedAttempt(
      {
        ...{ part, division, transport, duration },
        request: engineRequest(this.#job, part, { body: prefillBody, mayReuse: true }),
        timeouts: timeoutsOf(options),
      },
      {
        // The parameters are good for one request: it must not be sent again over another connection.
        onDecodeFields: (fields) => this.#handler.ask(route, dividedBody(whole, fields), false),
        onPrefillFailed: (reason, sentence, isDecoding) => {
          if (this.#attempt !== attempt) return;
          this.#attempt = undefined;
          this.#onFailed(part, reason, sentence);
          if (isDecoding || route.worker.instance.card.needsPrefill)
            this.#handler.onUnanswerable(`Its prefill engine failed: ${sentence}`);
          else {
            route.prefillHere();
            this.#handler.ask(route, whole, true);
          }
        },
      },
    );
    this.#attempt = attempt;
    this.#decodeName = route.worker.instance.name;
    attempt.start();
  }

  /**
   * The decode engine has answered, or failed. That it is lost, or that the request is bad, is not the prefill engine's
   * fault.
   * @param how it failed, as a sentence
   * @returns whether that is not the decode engine's fault, because a prefill engine took part in the attempt
   */
  settle(outcome: DecodeOutcome, how = ""): boolean {
    const attempt = this.#attempt;
    if (attempt === undefined) return false;
    if (outcome === "worked") {
      this.#attempt = undefined;
      attempt.onDecoded();
      this.#job.model.metrics.routing.prefills.count("remote", "");
      return true;
    }
    const { hasHandedOver } = attempt;
    this.end();
    // Both had the same request.
    if (!hasHandedOver && outcome !== "lost") {
      this.#job.model.metrics.routing.prefills.count("fallback", "decode_failed");
      return false;
    }
    if (outcome === "lost")
      this.#onFailed(attempt.part, "decode_lost", `The decode engine ${this.#decodeName} was lost: ${how}`);
    else {
      const reason = `The decode engine ${this.#decodeName} could not use its KV blocks: ${how}`;
      if (outcome === "failed") attempt.part.worker.reportFailure(reason, false);
      this.#onFailed(attempt.part, "decode_failed", reason);
    }
    return true;
  }

  /** Ends the attempt, if there is one. */
  end(): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
  }

  #onFailed(
    { worker }: PrefillPart<EngineMember>,
    reason: PrefillFailure | "decode_failed" | "decode_lost",
    sentence: string,
  ): void {
    this.#failed = worker;
    this.#job.model.metrics.routing.prefills.count("fallback", reason);
    const { name } = worker.instance;
    this.#context.warnings.warn(`${name} prefill`, "a prefill engine's work was not used", {
      request: this.#job.requestId,
      engine: name,
      reason: sentence,
    });
  }
}
