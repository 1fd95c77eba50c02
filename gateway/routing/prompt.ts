import type { MediaHashes, Router } from "#router-wasm";

/** An image, a video or a sound in a prompt. */
export interface PlacedMedia {
  /** Equal for the same content and different for any other. */
  readonly identity: string;
  /** Index of its first placeholder token. */
  readonly offset: number;
  /** Placeholder tokens. */
  readonly length: number;
}

/** A request's prompt, as the router compares it with what workers have cached. */
export interface Prompt {
  readonly tokens: Uint32Array;
  /** Placed media, by rising offset. Placeholders look alike, so each medium's identity goes into its blocks' hashes. */
  readonly media: readonly PlacedMedia[];
  /** Whether the worker caches exactly these tokens and media. If not, they only serve to compare requests. */
  readonly isExact: boolean;
}

/** A prompt of text alone, in the worker's own token ids. */
export const exactPrompt = (tokens: Uint32Array): Prompt => ({ tokens, media: NO_MEDIA, isExact: true });

/** A prompt that is compared with other requests' alone. */
export const comparedPrompt = (tokens: Uint32Array): Prompt => ({ tokens, media: NO_MEDIA, isExact: false });

/** Hashes of the media in each whole block; undefined for a prompt without media. */
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
