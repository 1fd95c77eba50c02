import type { MediaHashes, Router } from "#router-wasm";

/** An image, video or audio input in a prompt. */
export interface PlacedMedia {
  /** Equal for equal content, and different for any other. */
  readonly identity: string;
  /** Position of its first placeholder token. */
  readonly offset: number;
  /** Number of placeholder tokens. */
  readonly length: number;
}

/** A request's prompt, as the router compares it with workers' caches. */
export interface Prompt {
  readonly tokens: Uint32Array;
  /** By rising offset. Placeholders are all alike, so the identities go into the block hashes. */
  readonly media: readonly PlacedMedia[];
  /** Whether the worker caches exactly these tokens and media. If not, they only serve to compare requests. */
  readonly isExact: boolean;
}

/** A text-only prompt in the worker's own token ids. */
export const exactPrompt = (tokens: Uint32Array): Prompt => ({ tokens, media: NO_MEDIA, isExact: true });

/** A text-only prompt in other tokens than the worker's, to be compared only with other requests. */
export const inexactPrompt = (tokens: Uint32Array): Prompt => ({ tokens, media: NO_MEDIA, isExact: false });

/** Hashes of the media in each full block; undefined for a prompt without media. */
export function mediaHashesOf(
  { tokens, media }: Prompt,
  core: Pick<Router, "blockSize" | "mediaHash">,
): MediaHashes | undefined {
  if (media.length === 0) return undefined;
  const { blockSize } = core;
  const blocks: bigint[][] = Array.from({ length: Math.floor(tokens.length / blockSize) }, () => []);
  for (const { identity, offset, length } of media) {
    const hash = core.mediaHash(identity);
    const end = Math.min(blocks.length, Math.ceil((offset + length) / blockSize));
    for (let block = Math.floor(offset / blockSize); block < end; block++) blocks[block]!.push(hash);
  }
  return blocks.map((hashes) => (hashes.length === 0 ? undefined : BigUint64Array.from(hashes)));
}

const NO_MEDIA: readonly PlacedMedia[] = [];
