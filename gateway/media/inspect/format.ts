import type { HeaderBytes } from "./bytes.ts";
import type { BrokenMedia, MediaInfo } from "./info.ts";

/** How one format is told, and its headers read. */
export interface MediaFormat {
  /** What a file is called whose headers end too early. */
  readonly medium: BrokenMedia["medium"];
  readonly format: BrokenMedia["format"];
  /** Whether a file that begins with these bytes is of this format. At most HEAD bytes; fewer if the file is shorter. */
  matches(head: Head): boolean;
  /**
   * @returns undefined if it is not of this format after all
   * @throws HeadersEnd if the data ends within the headers
   */
  read(bytes: HeaderBytes): MediaInfo | undefined;
}

/** Bytes of a file by which its format is told. */
export const HEAD = 64;

/** The first bytes of a file. */
export class Head {
  readonly #text: string;

  constructor(bytes: Uint8Array) {
    this.#text = String.fromCharCode(...bytes);
  }

  /** Whether these Latin-1 characters stand there. */
  has(text: string, at = 0): boolean {
    return this.#text.startsWith(text, at);
  }

  text(at: number, length: number): string {
    return this.#text.slice(at, at + length);
  }
}

/** What a format's reader answers where the headers cannot be used. */
export function broken(
  { medium, format }: Pick<BrokenMedia, "medium" | "format">,
  problem: BrokenMedia["problem"],
): BrokenMedia {
  return { kind: "broken", medium, format, problem };
}
