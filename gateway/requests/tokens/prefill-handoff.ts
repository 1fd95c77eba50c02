import type { KvSource, KvTransfer, PlaneError, TransferOutcome, Warnings } from "#runtime";
import type { PrefillMetrics } from "../../kernel/metrics.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { PrefillPart } from "../../routing/plan.ts";
import type { RemotePrefill, Route } from "../../routing/route.ts";
import { PrefillCall } from "./prefill-call.ts";

export interface PrefillHandoffHandler {
  /** The prefill worker's first token has arrived; the decode worker is to be asked for the rest. */
  onPrefilled(delta: Uint8Array, kv: KvSource | undefined): void;
  /** The decode worker is to be asked for everything. */
  onPrefillFailed(): void;
}

/** Outcomes for which the prefill worker, or the way to it, may be to blame. */
const BLAMED: ReadonlySet<TransferOutcome> = new Set([
  "unreachable",
  "refused",
  "expired",
  "stalled",
  "failed",
]);

/**
 * The prefill of one request on another worker, attempt by attempt: the first token comes from there, and the decode
 * worker reads the KV blocks from there. If it fails, the decode worker computes the prompt itself.
 */
export class PrefillHandoff {
  readonly #requestId: string;
  readonly #metrics: PrefillMetrics;
  readonly #warnings: Warnings;
  readonly #handler: PrefillHandoffHandler;
  #call: PrefillCall | undefined;
  #route: Route<WorkerMember> | undefined;
  /** Whether the decode worker has yet to report the transfer. */
  #isTransferring = false;
  #hasFailed = false;

  constructor(
    requestId: string,
    metrics: PrefillMetrics,
    warnings: Warnings,
    handler: PrefillHandoffHandler,
  ) {
    this.#requestId = requestId;
    this.#metrics = metrics;
    this.#warnings = warnings;
    this.#handler = handler;
  }

  /** Whether a prefill worker may compute the prompt in the next attempt. */
  get remotePrefill(): RemotePrefill {
    return this.#hasFailed ? "avoided" : "possible";
  }

  /** Whether the decode worker has yet to report the transfer. */
  get isTransferring(): boolean {
    return this.#isTransferring;
  }

  start(
    route: Route<WorkerMember>,
    part: PrefillPart<WorkerMember>,
    payload: Uint8Array,
    deadlineMs: number,
  ): void {
    const { client } = part.worker;
    this.#route = route;
    if (client === undefined) {
      this.#fail(part, "prefill_lost", "It is not connected.");
      return;
    }
    const call: PrefillCall = new PrefillCall(part, client, payload, deadlineMs, {
      onPrefilled: (delta, kv) => {
        if (this.#call !== call) return;
        this.#metrics.duration.observe(call.seconds);
        this.#isTransferring = kv !== undefined;
        if (kv === undefined) this.#metrics.count("remote", "");
        this.#handler.onPrefilled(delta, kv);
      },
      onPrefillFailed: (reason, error: PlaneError) => {
        if (this.#call !== call) return;
        this.#call = undefined;
        this.#fail(part, reason, error.message);
      },
    });
    this.#call = call;
  }

  /** The prefill worker has told how much of the prompt it had cached. */
  onComputed(cachedTokens: number | undefined): void {
    if (this.#call === undefined) return;
    this.#call.part.computed(cachedTokens, this.#call.seconds * 1e6);
  }

  /**
   * The decode worker has begun, and reports the transfer, unless it is too old to know it.
   * @returns whether it has the KV blocks
   */
  onTransfer(transfer: KvTransfer | undefined): boolean {
    const call = this.#call;
    if (!this.#isTransferring || call === undefined) return false;
    this.#isTransferring = false;
    const { outcome, microseconds, bytes } = transfer ?? {
      outcome: "unsupported",
      microseconds: 0,
      bytes: 0,
    };
    const hasWorked = outcome === "transferred";
    if (hasWorked) {
      this.#metrics.count("remote", "");
      this.#metrics.transferDuration.observe(microseconds / 1e6);
      this.#metrics.transferBytes.inc(bytes);
      call.part.transferred(microseconds);
      this.end();
    } else {
      if (BLAMED.has(outcome)) call.part.worker.reportFailure(`A transfer from it ended: ${outcome}.`, false);
      this.#noteFailure(call.part, `kv_${outcome}`, `Its KV blocks did not arrive: ${outcome}.`);
      this.#route?.prefillHere();
      this.end();
    }
    return hasWorked;
  }

  /** Nothing has come for a while. @returns whether the prefill worker was to answer */
  onSilence(ms: number): boolean {
    const call = this.#call;
    if (call === undefined || !call.isWaiting) return false;
    const reason = `It has sent nothing for ${ms / 1000} s.`;
    call.part.worker.reportFailure(reason, false);
    this.end();
    this.#fail(call.part, "prefill_timeout", reason);
    return true;
  }

  /** Ends the attempt: the prefill worker stops, or frees the KV blocks. */
  end(): void {
    this.#isTransferring = false;
    this.#call?.part.free();
    this.#call?.end();
    this.#call = undefined;
  }

  /** The decode worker is lost; if it has not reported the transfer, a prefill was in vain. */
  onDecodeLost(): void {
    if (this.#call !== undefined) {
      this.#hasFailed = true;
      this.#metrics.count("fallback", "decode_lost");
    }
    this.end();
  }

  #fail(part: PrefillPart<WorkerMember>, reason: string, sentence: string): void {
    this.#noteFailure(part, reason, sentence);
    this.#route?.prefillHere();
    this.#handler.onPrefillFailed();
  }

  #noteFailure({ worker }: PrefillPart<WorkerMember>, reason: string, sentence: string): void {
    this.#hasFailed = true;
    this.#metrics.count("fallback", reason);
    const { name } = worker.instance;
    this.#warnings.warn(`${name} prefill`, "a prompt was not computed by its prefill worker", {
      request: this.#requestId,
      worker: name,
      reason: sentence,
    });
  }
}
