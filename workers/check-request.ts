import { type GenerateRequest, type Logger, type ModelCard, PlaneError } from "#runtime";

/** @throws PlaneError `invalid_request` if the model cannot serve the request */
export function checkRequest(
  { tokens, dataParallelRank, grammar, cacheSalt, media = [] }: GenerateRequest,
  { contextLength, vocabularySize, dataParallelSize, features, media: kinds = [] }: ModelCard,
): void {
  if (tokens.length === 0 || tokens.length >= contextLength) {
    throw new PlaneError(
      "invalid_request",
      `The prompt has ${tokens.length} tokens; this model accepts 1 to ${contextLength - 1}.`,
    );
  }
  if (tokens.some((token) => token >= vocabularySize)) {
    throw new PlaneError("invalid_request", "The prompt has token ids that are not in the vocabulary.");
  }
  if (dataParallelRank !== undefined && dataParallelRank >= dataParallelSize) {
    throw new PlaneError(
      "invalid_request",
      `There is no data-parallel rank ${dataParallelRank}; this worker has ${dataParallelSize}, from 0.`,
    );
  }
  if (grammar !== undefined && features.grammar !== true)
    throw new PlaneError("invalid_request", "The engine of this worker cannot keep to a grammar.");
  if (cacheSalt !== undefined && features.cacheSalt !== true)
    throw new PlaneError("invalid_request", "The engine of this worker cannot keep caches apart.");
  const foreign = media.find(({ kind }) => !kinds.includes(kind));
  if (foreign !== undefined)
    throw new PlaneError(
      "invalid_request",
      `The model of this worker takes no media of kind ${foreign.kind}.`,
    );
  let before = 0;
  for (const { position } of media) {
    if (position < before || position > tokens.length)
      throw new PlaneError("invalid_request", "The positions of the prompt's media are not in order.");
    before = position;
  }
}

/**
 * Logs why an engine has failed a request, unless the request itself is to blame.
 * @returns the error for the caller, which does not need the details
 */
export function engineFailure(
  error: unknown,
  { requestId }: Pick<GenerateRequest, "requestId">,
  log: Logger,
): PlaneError {
  if (error instanceof PlaneError && error.isRefusal) return error;
  log.error("the engine failed a request", {
    request: requestId,
    reason: error instanceof Error ? error.stack : String(error),
  });
  return new PlaneError("internal", "The engine failed.", { cause: error });
}
