/** An engine's part in requests. */
export type EngineRole = "aggregated" | "prefill" | "decode" | "encode";

/**
 * How engines of one kind divide a request between a prefill engine, which computes the prompt's KV blocks, and a decode
 * engine, which fetches them and answers. One file each.
 */
export interface Disaggregation {
  /**
   * Whether a decode engine computes a prompt itself if it gets the plain request; if not, it answers only with a
   * prefill engine.
   */
  readonly decodesAlone: boolean;
  /** Why the request cannot be divided, as a clause; undefined if it can. */
  obstacleOf(request: DividableRequest): string | undefined;
  /** Divides a request, once. */
  divide(request: DividedRequest): Division;
  /**
   * How many prompt tokens the engine has got from others since its start.
   * @returns undefined if it does not report that
   * @throws EngineApiError
   */
  readReceivedTokens?(api: TextApi): Promise<number | undefined>;
  /** What an engine must be started with to take part, as typed on its command line; undefined if that is no flag. */
  flagFor(role: EngineRole): string | undefined;
}

/** What is needed of an engine's API; see `EngineApi`. */
interface TextApi {
  getText(path: string): Promise<string | undefined>;
}

/** A request that may be divided. */
export interface DividableRequest {
  /** `/v1/chat/completions`, for example. */
  readonly path: string;
  /** The parsed body. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface DividedRequest extends DividableRequest {
  readonly prefill: PrefillEngine;
  /** The fields that hand over what encoders have made of its media; undefined if there are none. */
  readonly encoded?: Readonly<Record<string, unknown>> | undefined;
}

/** The prefill engine of a request. */
export interface PrefillEngine {
  /** Its base address. */
  readonly url: string;
  /** The port of SGLang's bootstrap server, if it is not 8998. */
  readonly bootstrapPort?: number | undefined;
  /** For how long vLLM's keeps KV blocks, if not for 30 s. */
  readonly kvLeaseMs?: number | undefined;
}

/** A divided request. Fields replace those of the client's body; with the value undefined, they are removed. */
export interface Division {
  /** For the prefill engine. */
  readonly prefillFields: Readonly<Record<string, unknown>>;
  /** For the decode engine, if both are asked at once; undefined if that one is asked after the prefill engine. */
  readonly decodeFields: Readonly<Record<string, unknown>> | undefined;
  /** For how long the prefill engine keeps the KV blocks, in milliseconds; undefined if until they are fetched. */
  readonly validMs: number | undefined;
  /**
   * Reads the prefill engine's answer.
   * @param answer as parsed by `parseExactly`
   * @throws Error with the problem as a sentence, if it has no parameters for the decode engine
   */
  readAnswer(answer: unknown): PrefillAnswer;
}

export interface PrefillAnswer {
  /** For the decode engine. To be used once. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Prompt tokens that it had cached, if it tells. */
  readonly cachedTokens: number | undefined;
}

/** The field by which vLLM's encoders hand over what they have encoded. */
export const ENCODER_FIELD = "ec_transfer_params";

/**
 * Fields by which engines hand KV blocks to each other. A client's own would read other requests' blocks, or end an
 * engine: vLLM's decode engine ends at `kv_transfer_params` without its other fields.
 */
export const TRANSFER_FIELDS: ReadonlySet<string> = new Set([
  "kv_transfer_params",
  ENCODER_FIELD,
  "disaggregated_params",
  "bootstrap_host",
  "bootstrap_port",
  "bootstrap_room",
  // SGLang would send the request's media to the encoders that this address lists.
  "epd_bootstrap_addr",
]);
