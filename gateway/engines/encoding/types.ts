/**
 * How engines of one kind have a prompt's media encoded by another engine, which only has the encoder. One file each.
 */
export type Encoding = MediaEncoding | ChatEncoding;

/** Each medium is encoded by itself, under an id, and what was made of it serves every request that has the medium. */
export interface MediaEncoding {
  readonly unit: "medium";
  /**
   * The request to an encoder.
   * @param media each once; in the body, their content parts are as the client sent them, with their ids
   */
  request(request: EncodableRequest, media: readonly MediumToEncode[]): EncodeRequest;
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
  fields(encoded: ReadonlyMap<string, Encoded>): EncodedFields;
  /**
   * The content part that stands for a medium without its data. It must only be sent right after the encoder's success: an
   * engine that does not find the embedding would end.
   * @returns undefined if the medium itself is needed
   */
  partWithout(kind: string, id: string, encoded: Encoded): Readonly<Record<string, unknown>> | undefined;
}

/**
 * All media of a chat are encoded together, because the encoder must see the prompt around them. What it answers serves this
 * one request, once.
 */
export interface ChatEncoding {
  readonly unit: "chat";
  /** Why the request's media cannot be encoded beforehand, as a clause; undefined if they can. */
  obstacleOf(request: EncodableRequest): string | undefined;
  /** What the engine that computes the prompt lacks if its profile's `takesEncoded` is not true, as a clause. */
  readonly requirement: string;
  /** The request to an encoder, with all media as the client sent them. */
  request(request: EncodableRequest): EncodeRequest;
  /**
   * Reads an encoder's answer.
   * @param answer as parsed by `parseExactly`
   * @param count how many media the chat has
   * @returns what the engine that computes the prompt and answers gets besides
   * @throws Error with the problem as a sentence, if it is not for all media
   */
  readAnswer(answer: unknown, count: number): EncodedFields;
}

/** How language engines that ask encoders themselves are told of them. */
export interface EncoderRegistry {
  /** @returns the status of the answer @throws EngineApiError */
  register(api: RegistryApi, url: string): Promise<number>;
  /** The same to take one back. */
  unregister(api: RegistryApi, url: string): Promise<number>;
}

/** What is needed of the registry's API; see `EngineApi`. */
interface RegistryApi {
  postStatus(path: string, body: unknown): Promise<number>;
  deleteStatus(path: string, body: unknown): Promise<number>;
}

/** A request with media. */
export interface EncodableRequest {
  /** `/v1/chat/completions`, for example. */
  readonly path: string;
  /** The parsed body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Fields of a request that hand over what encoders have made. */
export type EncodedFields = Readonly<Record<string, unknown>>;

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
