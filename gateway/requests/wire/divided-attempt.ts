import type { Division, PrefillAnswer } from "../../engines/disaggregation/types.ts";
import { Stalls } from "../../kernel/stalls.ts";
import type { EngineMember } from "../../models/members/engine-member.ts";
import type { PrefillPart } from "../../routing/plan.ts";
import { HeldBytes } from "../../wire/held-bytes.ts";
import type {
  HttpCall,
  HttpError,
  HttpHead,
  HttpReceiver,
  HttpRequest,
  HttpTimeouts,
  HttpTransport,
} from "../../wire/types.ts";
import { readWhole } from "./whole-answer.ts";

/** Why a prompt was not computed by the prefill engine after all, for metrics. */
export type PrefillFailure =
  | "prefill_unreachable"
  | "prefill_lost"
  | "prefill_timeout"
  | "prefill_refused"
  | "prefill_unusable"
  | "prefill_hung"
  | "kv_expired";

export interface DividedAttemptHandler {
  /** The decode engine is to be asked, with these fields instead of the client's. Called once, or not at all. */
  onDecodeFields(fields: PrefillAnswer["fields"]): void;
  /**
   * The prefill engine has failed.
   * @param isDecoding whether the decode engine has been asked, and waits for it in vain
   */
  onPrefillFailed(reason: PrefillFailure, sentence: string, isDecoding: boolean): void;
}

export interface DividedAttemptOptions {
  readonly part: PrefillPart<EngineMember>;
  readonly division: Division;
  /** The request to the prefill engine. */
  readonly request: HttpRequest;
  readonly transport: HttpTransport;
  readonly timeouts: HttpTimeouts;
  /** Observes the time of a successful prefill, in seconds. */
  readonly duration: { observe(seconds: number): void };
}

/** Most bytes of a prefill engine's answer: a token, and the ids of the prompt's blocks. */
const LONGEST_ANSWER = 8 * 1024 * 1024;
/** Share of the time for which KV blocks are kept, within which the decode engine must be asked. */
const USABLE_SHARE = 0.5;

/** One attempt to have a request's prompt computed by a prefill engine, for the decode engine of its route. */
export class DividedAttempt implements HttpReceiver {
  readonly part: PrefillPart<EngineMember>;
  readonly #options: DividedAttemptOptions;
  readonly #handler: DividedAttemptHandler;
  readonly #stalls = new Stalls();
  readonly #stopListening: () => void;
  readonly #sentAt = performance.now();
  /** When the answer's head was read. */
  #headAt = 0;
  #call: HttpCall | undefined;
  #status = 0;
  readonly #answer = new HeldBytes();
  /** Fires when the blocks may be gone before the whole answer has been read. */
  #expiry: ReturnType<typeof setTimeout> | undefined;
  /** Whether the prefill engine owes an answer. */
  #isWaiting = true;
  #isDecoding = false;

  constructor(options: DividedAttemptOptions, handler: DividedAttemptHandler) {
    this.#options = options;
    this.#handler = handler;
    this.part = options.part;
    const { hangs } = this.part.worker;
    this.#stopListening = hangs.add((reason) => this.#fail("prefill_hung", reason));
  }

  /** Whether the decode engine has got fields from the prefill engine's answer. */
  get hasHandedOver(): boolean {
    return this.#isDecoding && this.#options.division.decodeFields === undefined;
  }

  start(): void {
    const { transport, request, timeouts, division } = this.#options;
    this.#call = transport.call(request, this, timeouts);
    if (division.decodeFields !== undefined && this.#isWaiting) this.#decode(division.decodeFields);
  }

  /** Ends it: the prefill engine stops, and its load is freed. */
  cancel(): void {
    this.#settle();
    this.#call?.cancel();
    this.part.free();
  }

  /** The decode engine has begun to answer, so it has the KV blocks. */
  onDecoded(): void {
    this.part.transferred(undefined);
  }

  onHead({ status, isEncoded }: HttpHead): void {
    this.#status = status;
    this.#headAt = performance.now();
    const { validMs } = this.#options.division;
    if (validMs !== undefined) this.#expiry = setTimeout(() => this.#expire(), validMs * USABLE_SHARE);
    if (isEncoded) this.#fail("prefill_unusable", "Its answer is compressed.");
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    if (isFramed) this.#fail("prefill_unusable", "Its answer is a stream of events.");
    if (this.#answer.length + wire.length > LONGEST_ANSWER)
      this.#fail("prefill_unusable", "Its answer is too long.");
    else if (this.#isWaiting) this.#answer.add(wire);
    return false;
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    this.onBytes(wire, isFramed);
    if (!this.#isWaiting) return false;
    const { worker } = this.part;
    const { division } = this.#options;
    const text = new TextDecoder().decode(this.#answer.takeWith());
    const read = readWhole(worker, this.#status, text, (answer) => division.readAnswer(answer));
    if ("failure" in read) this.#fail(`prefill_${read.failure}`, read.sentence);
    else this.#onAnswer(read.answer);
    return false;
  }

  onError(error: HttpError): void {
    if (!this.#isWaiting) return;
    this.part.worker.reportFailure(error.message, error.code === "unsent");
    this.#fail(FAILURES[error.code], error.message);
  }

  #onAnswer(answer: PrefillAnswer): void {
    const { division, duration } = this.#options;
    const now = performance.now();
    const ms = now - this.#sentAt;
    // Its head may have arrived at the beginning of any one stall, at whose end it was read.
    const ageMs = now - this.#headAt + this.#stalls.longestMs;
    this.#settle();
    duration.observe(ms / 1000);
    this.part.computed(answer.cachedTokens, ms * 1000);
    const { validMs = Number.POSITIVE_INFINITY } = division;
    if (ageMs > validMs * USABLE_SHARE)
      this.#handler.onPrefillFailed("kv_expired", "This process stood still meanwhile.", this.#isDecoding);
    else if (!this.#isDecoding) this.#decode(answer.fields);
  }

  #expire(): void {
    this.#fail("kv_expired", "Its answer took so long to arrive that the blocks may be gone.");
  }

  #decode(fields: PrefillAnswer["fields"]): void {
    this.#isDecoding = true;
    this.#handler.onDecodeFields(fields);
  }

  #fail(reason: PrefillFailure, sentence: string): void {
    if (!this.#isWaiting) return;
    this.#settle();
    this.#call?.cancel();
    this.#handler.onPrefillFailed(reason, sentence, this.#isDecoding);
  }

  #settle(): void {
    this.#isWaiting = false;
    clearTimeout(this.#expiry);
    this.#answer.clear();
    this.#stopListening();
    this.#stalls.close();
  }
}

const FAILURES: Readonly<Record<HttpError["code"], PrefillFailure>> = {
  unsent: "prefill_unreachable",
  lost: "prefill_lost",
  timeout: "prefill_timeout",
  garbage: "prefill_unusable",
};
