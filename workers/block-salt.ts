import type { GenerateRequest } from "#runtime";

/** Whose cached KV a sequence shares: from this block on, that of sequences with the same salt. */
export interface BlockSalt {
  readonly text: string;
  /** The first block that is not shared by all. It alone has the salt, which keeps apart all that follows. */
  readonly block: number;
}

/** The salt of a request; undefined if it shares all its blocks with other requests without one. */
export function blockSaltOf(
  { cacheSalt, sharedTokens = 0 }: Pick<GenerateRequest, "cacheSalt" | "sharedTokens">,
  blockSize: number,
): BlockSalt | undefined {
  return cacheSalt === undefined
    ? undefined
    : { text: cacheSalt, block: Math.floor(sharedTokens / blockSize) };
}
