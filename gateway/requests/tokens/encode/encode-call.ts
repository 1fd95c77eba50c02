import {
  type ClientCall,
  decodeEncodeResponse,
  type EncodedMedium,
  encodeEncodeRequest,
  encodeEndpoint,
  type MediumToEncode,
  messageOf,
  type PlaneError,
} from "#runtime";
import type { WorkerMember } from "../../../models/members/member.ts";
import type { SharedWork } from "../../../routing/encode/encoder-table.ts";
import { EncodeError } from "../../encoding/encode-error.ts";
import { isRefusal } from "../plane-failure.ts";

/** What became of a share of media. */
type Answers = ReadonlyMap<string, EncodedMedium>;

export interface EncodeCallOptions {
  readonly encoder: WorkerMember;
  readonly media: readonly MediumToEncode[];
  /** The ids of those that the encoder has encoded before: it is first asked whether it still has them. */
  readonly held: ReadonlySet<string>;
  readonly requestId: string;
  readonly deadlineMs: number;
  /** Observes the time of a successful answer, in seconds. */
  readonly duration: { observe(seconds: number): void };
}

/** A call of an encode worker, for all requests that need its answer. It is cancelled once none does. */
export class EncodeCall implements SharedWork<Answers> {
  readonly result: Promise<Answers>;
  readonly #options: EncodeCallOptions;
  readonly #sentAt = performance.now();
  readonly #resolve: (answers: Answers) => void;
  readonly #reject: (error: Error) => void;
  readonly #answers = new Map<string, EncodedMedium>();
  #call: ClientCall | undefined;
  #waiting = 0;
  #isOver = false;

  constructor(options: EncodeCallOptions) {
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<Answers>();
    this.result = promise;
    // Nobody need wait for it any more when it fails.
    promise.catch(() => {});
    this.#resolve = resolve;
    this.#reject = reject;
    this.#send(
      options.media.map((medium) => (options.held.has(medium.id) ? { ...medium, data: NOTHING } : medium)),
    );
  }

  join(): void {
    this.#waiting++;
  }

  leave(): void {
    if (--this.#waiting > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#call?.cancel();
    this.#reject(new EncodeError("encoder_lost", "Nobody waits for it any more."));
  }

  #send(media: readonly MediumToEncode[]): void {
    const { encoder, requestId, deadlineMs } = this.#options;
    if (encoder.client === undefined) {
      this.#fail(new EncodeError("encoder_unreachable", "It is not connected."));
      return;
    }
    let hasAnswered = false;
    this.#call = encoder.client.call(
      encodeEndpoint,
      encodeEncodeRequest({ requestId, media: [...media] }),
      {
        onMessage: (message) => {
          hasAnswered = true;
          this.#onAnswer(media, message);
        },
        onEnd: () => {
          if (!hasAnswered) this.#fail(new EncodeError("encoder_unusable", "It ended without an answer."));
        },
        onError: (error) => this.#onError(error),
      },
      { deadlineMs },
    );
  }

  #onAnswer(media: readonly MediumToEncode[], message: Uint8Array): void {
    if (this.#isOver) return;
    try {
      const answers = decodeEncodeResponse(message);
      if (answers.length !== media.length)
        throw new EncodeError(
          "encoder_unusable",
          `It answered for ${answers.length} of ${media.length} media.`,
        );
      this.#read(media, answers);
    } catch (error) {
      this.#fail(
        error instanceof EncodeError ? error : new EncodeError("encoder_unusable", messageOf(error)),
      );
    }
  }

  #read(media: readonly MediumToEncode[], answers: readonly EncodedMedium[]): void {
    const missing: MediumToEncode[] = [];
    for (const [index, { id, data }] of media.entries()) {
      const answer = answers[index]!;
      if (answer.kind !== "missing") this.#answers.set(id, answer);
      else if (data.length === 0) missing.push(this.#options.media.find((medium) => medium.id === id)!);
    }
    if (missing.length > 0) {
      this.#send(missing);
      return;
    }
    this.#isOver = true;
    const { encoder, duration } = this.#options;
    encoder.reportSuccess();
    duration.observe((performance.now() - this.#sentAt) / 1000);
    this.#resolve(this.#answers);
  }

  #onError(error: PlaneError): void {
    if (this.#isOver) return;
    const isRefused = isRefusal(error);
    if (!isRefused && !error.isRefusal) this.#options.encoder.reportFailure(messageOf(error), false);
    this.#fail(new EncodeError(isRefused ? "encoder_refused" : failureOf(error), error.message));
  }

  #fail(error: EncodeError): void {
    this.#isOver = true;
    this.#reject(error);
  }
}

const NOTHING = new Uint8Array(0);

function failureOf({ code }: PlaneError) {
  if (code === "connection_lost") return "encoder_lost";
  return code === "deadline_exceeded" ? "encoder_timeout" : "encoder_unusable";
}
