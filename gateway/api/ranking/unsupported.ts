const SHORTEN = "Leave it out, and shorten the texts themselves; /v1/tokenize counts their tokens.";

/** Parameters that would change the scores. */
export const UNSUPPORTED = {
  truncate_prompt_tokens: SHORTEN,
  max_tokens_per_doc: SHORTEN,
  max_chunks_per_doc: SHORTEN,
  rank_fields: "Leave it out, and send each document as a string or as {text}.",
};
