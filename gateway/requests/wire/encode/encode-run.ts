import type { EncodedFields, EncodeRequest } from "../../../engines/encoding/types.ts";
import type { EngineMember } from "../../../models/members/engine-member.ts";
import type { HttpRequest } from "../../../wire/types.ts";
import type { EncodeFailureContext } from "../../encoding/encode-error.ts";
import { engineRequest } from "../engine-request.ts";
import type { EncodableMedium, WireContext, WireJob } from "../job.ts";
import { timeoutsOf } from "../timeouts.ts";
import { EncoderCall } from "./encoder-call.ts";

/** What a request's media were encoded to, for the engine that computes its prompt. */
export interface EncodedBody {
  /** With what encoders have answered, and without the media where their data are not needed. */
  readonly body: Uint8Array;
  /** What encoders have answered, which is in the body too; undefined if nothing was encoded. */
  readonly fields: EncodedFields | undefined;
  /** The encoders that did it for this request. */
  readonly encoders: readonly string[];
  /** The ids of the media whose embeddings later requests would find too. */
  readonly ids: readonly string[];
  /** Whether an engine may refuse it as a bad request because of what encoders have answered. */
  readonly mayBeRefused: boolean;
}

/** Has the media of one attempt encoded. */
export interface EncodeRun {
  /** Resolves to undefined if the attempt has ended meanwhile. */
  encode(): Promise<EncodedBody | undefined>;
  /** The attempt has ended: nobody waits for the encoders any more. */
  end(): void;
}

export interface EncodeRunOptions {
  readonly job: WireJob;
  readonly context: WireContext;
  /** Not empty. */
  readonly media: readonly EncodableMedium[];
  /** The encoders that are ready; not empty. */
  readonly encoders: readonly EngineMember[];
  /** The request's body for the engine that computes the prompt. */
  readonly body: Uint8Array;
}

/** Sends an encoder a request. @param index of the encoder among those of the request */
export function callEncoder<Answer>(
  { job, context }: EncodeRunOptions,
  encoder: EngineMember,
  index: number,
  { path, body }: EncodeRequest,
  readAnswer: (answer: unknown) => Answer,
): EncoderCall<Answer> {
  return new EncoderCall({
    encoder,
    request: requestTo(job, encoder, index, { path, body }),
    transport: context.transport,
    timeouts: timeoutsOf(context.options),
    readAnswer,
    duration: job.model.metrics.routing.encodes.duration,
  });
}

function requestTo(
  job: WireJob,
  encoder: EngineMember,
  index: number,
  { path, body }: EncodeRequest,
): HttpRequest {
  // A request id of its own, as encoders need one for each.
  const id = `${job.requestId}:${index}:${crypto.randomUUID().slice(0, 8)}`;
  const headers = job.headers.filter(([name]) => name !== "x-request-id");
  const own = { ...job, method: "POST", path, headers: [...headers, ["x-request-id", id] as const] };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return engineRequest(own, { worker: encoder, rank: 0, overlapBlocks: 0 }, { body: bytes, mayReuse: true });
}

/** Whom to tell of failures. */
export const failureContext = ({ job, context }: EncodeRunOptions): EncodeFailureContext => ({
  metrics: job.model.metrics.routing.encodes,
  warnings: context.warnings,
  requestId: job.requestId,
});
