import {
  type ClientCall,
  decodePrefillResponse,
  type KvSource,
  messageOf,
  PlaneError,
  prefillEndpoint,
  type RequestPlaneClient,
} from "#runtime";
import type { WorkerMember } from "../../models/members/member.ts";
import type { PrefillPart } from "../../routing/plan.ts";
import { isRefusal } from "./plane-failure.ts";

/** Why a prefill worker has not computed a prompt, for metrics. */
export type PrefillFailure = "prefill_lost" | "prefill_refused" | "prefill_failed";

export interface PrefillHandler {
  /** It has computed the prompt. @param delta the first token; @param kv undefined if the answer ends with that */
  onPrefilled(delta: Uint8Array, kv: KvSource | undefined): void;
  onPrefillFailed(reason: PrefillFailure, error: PlaneError): void;
}

/**
 * A call to a prefill worker for one request. Once the worker has computed the prompt, it holds the KV blocks until
 * `end`, for the decode worker to read them.
 */
export class PrefillCall {
  readonly part: PrefillPart<WorkerMember>;
  readonly #handler: PrefillHandler;
  readonly #sentAt = performance.now();
  readonly #call: ClientCall;
  #state: "waiting" | "holding" | "over" = "waiting";

  constructor(
    part: PrefillPart<WorkerMember>,
    client: RequestPlaneClient,
    payload: Uint8Array,
    deadlineMs: number,
    handler: PrefillHandler,
  ) {
    this.part = part;
    this.#handler = handler;
    const receiver = {
      onMessage: (message: Uint8Array) => this.#onMessage(message),
      onEnd: () => this.#onError(new PlaneError("internal", "The prefill worker ended the call.")),
      onError: (error: PlaneError) => this.#onError(error),
    };
    this.#call = client.call(prefillEndpoint, payload, receiver, { deadlineMs });
  }

  /** Whether the worker has yet to answer. */
  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** Seconds since it was sent. */
  get seconds(): number {
    return (performance.now() - this.#sentAt) / 1000;
  }

  /** The KV blocks are not needed any more: the worker frees them. */
  end(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#call.cancel();
  }

  #onMessage(message: Uint8Array): void {
    if (this.#state !== "waiting") return;
    const { delta, kv } = decodePrefillResponse(message);
    this.#state = kv === undefined ? "over" : "holding";
    this.part.worker.reportSuccess();
    this.#handler.onPrefilled(delta, kv);
  }

  /** An end of the call while it holds the blocks is noticed by the decode worker, which reads them. */
  #onError(error: PlaneError): void {
    const wasWaiting = this.#state === "waiting";
    this.#state = "over";
    if (!wasWaiting) return;
    const isRefused = isRefusal(error);
    if (!isRefused) this.part.worker.reportFailure(messageOf(error), false);
    const reason = isRefused
      ? "prefill_refused"
      : error.code === "connection_lost"
        ? "prefill_lost"
        : "prefill_failed";
    this.#handler.onPrefillFailed(reason, error);
  }
}
