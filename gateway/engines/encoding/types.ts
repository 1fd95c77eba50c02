import type { DividableRequest } from "../disaggregation/types.ts";

/**
 * How engines of one kind have a prompt's media encoded by another engine, which only has the encoder. One file each.
 */
export interface Encoding {
  /** Why the request's media cannot be encoded beforehand, as a clause; undefined if they can. */
  obstacleOf(request: DividableRequest): string | undefined;
  /**
   * The request to an encoder.
   * @param media each once; in the body, their content parts are as the client sent them, with their ids
   */
  request(request: DividableRequest, media: readonly MediumToEncode[]): EncodeRequest;
  /**
   * Reads an encoder's answer.
   * @param answer as parsed by `parseExactly`
   * @param ids of the media that it was asked for
   * @throws Error with the problem as a sentence, if it lacks one of them
   */
  readAnswer(answer: unknown, ids: readonly string[]): ReadonlyMap<string, Encoded>;
  /**
   * What the engine that computes the prompt gets besides.
   * @param encoded of all of the request's media that were encoded, by id
   */
  fields(encoded: ReadonlyMap<string, Encoded>): Readonly<Record<string, unknown>>;
  /**
   * The content part that stands for a medium without its data. It must only be sent right after the encoder's success: an
   * engine that does not find the embedding would end.
   * @returns undefined if the medium itself is needed
   */
  partWithout(kind: string, id: string, encoded: Encoded): Readonly<Record<string, unknown>> | undefined;
}

export interface MediumToEncode {
  readonly id: string;
  /** The content part. */
  readonly part: Readonly<Record<string, unknown>>;
}

export interface EncodeRequest {
  /** Begins with `/v1`. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What an encoder says of one medium. */
export interface Encoded {
  /** For the engine that gets the embedding, as the encoder wrote it. */
  readonly transfer: unknown;
  /** What places the medium in a prompt; undefined if the encoder does not tell. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}
