import type { EngineMember } from "../../../models/members/engine-member.ts";
import type { SharedWork } from "../../../routing/encode/encoder-table.ts";
import { HeldBytes } from "../../../wire/held-bytes.ts";
import type {
  HttpCall,
  HttpError,
  HttpHead,
  HttpReceiver,
  HttpRequest,
  HttpTimeouts,
  HttpTransport,
} from "../../../wire/types.ts";
import { EncodeError, type EncodeFailure } from "../../encoding/encode-error.ts";
import { readWhole } from "../whole-answer.ts";

export interface EncoderCallOptions<Answer> {
  readonly encoder: EngineMember;
  readonly request: HttpRequest;
  readonly transport: HttpTransport;
  readonly timeouts: HttpTimeouts;
  /** @param answer as parsed by `parseExactly` @throws Error with the problem as a sentence */
  readAnswer(answer: unknown): Answer;
  /** Observes the time of a successful answer, in seconds. */
  readonly duration: { observe(seconds: number): void };
}

/** Most bytes of an encoder's answer: a few hundred for each medium. */
const LONGEST_ANSWER = 8 * 1024 * 1024;

/** A request to an encoder, for all requests that need its answer. It is cancelled once none does. */
export class EncoderCall<Answer> implements HttpReceiver, SharedWork<Answer> {
  readonly result: Promise<Answer>;
  readonly #options: EncoderCallOptions<Answer>;
  readonly #answer = new HeldBytes();
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: EncodeError) => void;
  readonly #stopListening: () => void;
  readonly #sentAt = performance.now();
  readonly #call: HttpCall;
  #status = 0;
  #waiting = 0;
  #isOver = false;

  constructor(options: EncoderCallOptions<Answer>) {
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.result = promise;
    // Nobody need wait for it any more when it fails.
    promise.catch(() => {});
    this.#resolve = resolve;
    this.#reject = reject;
    const { encoder, transport, request, timeouts } = options;
    this.#stopListening = encoder.hangs.add((reason) => this.#fail("encoder_hung", reason));
    this.#call = transport.call(request, this, timeouts);
  }

  join(): void {
    this.#waiting++;
  }

  leave(): void {
    this.#waiting--;
    if (this.#waiting > 0 || this.#isOver) return;
    this.#end();
    this.#call.cancel();
    this.#reject(new EncodeError("encoder_lost", "No request needs it any more."));
  }

  onHead({ status, isEncoded }: HttpHead): void {
    this.#status = status;
    if (isEncoded) this.#fail("encoder_unusable", "Its answer is compressed.");
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    if (isFramed) this.#fail("encoder_unusable", "Its answer is a stream of events.");
    else if (this.#answer.length + wire.length > LONGEST_ANSWER)
      this.#fail("encoder_unusable", "Its answer is too long.");
    else if (!this.#isOver) this.#answer.add(wire);
    return false;
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    this.onBytes(wire, isFramed);
    if (this.#isOver) return false;
    const { encoder, readAnswer, duration } = this.#options;
    const text = new TextDecoder().decode(this.#answer.takeWith());
    const read = readWhole(encoder, this.#status, text, readAnswer);
    if ("failure" in read) {
      this.#fail(`encoder_${read.failure}`, read.sentence);
      return false;
    }
    this.#end();
    duration.observe((performance.now() - this.#sentAt) / 1000);
    this.#resolve(read.answer);
    return false;
  }

  onError(error: HttpError): void {
    if (this.#isOver) return;
    this.#options.encoder.reportFailure(error.message, error.code === "unsent");
    this.#fail(FAILURES[error.code], error.message);
  }

  #fail(reason: EncodeFailure, sentence: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#call?.cancel();
    this.#reject(new EncodeError(reason, sentence));
  }

  #end(): void {
    this.#isOver = true;
    this.#answer.clear();
    this.#stopListening();
  }
}

const FAILURES: Readonly<Record<HttpError["code"], EncodeFailure>> = {
  unsent: "encoder_unreachable",
  lost: "encoder_lost",
  timeout: "encoder_timeout",
  garbage: "encoder_unusable",
};
