import type { ByteTools } from "./byte-tools.ts";
import { type EncodedMedium, MediumBytes } from "./content.ts";
import type { MediaKind } from "./fields.ts";
import type { MediaInfo } from "./inspect/index.ts";
import { type Framing, vllmImageFraming } from "./vllm-hash.ts";

/** A medium of a request, as it was received or fetched. */
export class Medium {
  readonly kind: MediaKind;
  readonly info: MediaInfo | undefined;
  /** In bytes. */
  readonly size: number;
  readonly #encoded: EncodedMedium;
  readonly #bytes: MediumBytes;
  readonly #tools: ByteTools;
  readonly #hashes = new Map<string, Promise<string | undefined>>();

  constructor(encoded: EncodedMedium, kind: MediaKind, info: MediaInfo | undefined, tools: ByteTools) {
    this.kind = kind;
    this.info = info;
    this.size = encoded.size;
    this.#encoded = encoded;
    this.#bytes = new MediumBytes(encoded, tools);
    this.#tools = tools;
  }

  /** The whole medium as a data: URL. */
  dataUrl(): string {
    return `data:${mediaTypeOf(this)};base64,${ascii.decode(this.#encoded.base64)}`;
  }

  /** The file, decoded; not of a list of frames. */
  bytes(): Uint8Array {
    return this.#bytes.read(0, this.size);
  }

  /** Identifies its bytes: 64 hexadecimal digits; undefined if they are not valid base64. */
  digest(): Promise<string | undefined> {
    return this.#hash("", NO_FRAMING);
  }

  /**
   * The hash by which vLLM's caches know it, if that can be computed.
   * @param model as given to vLLM with `--model`
   * @returns undefined if only vLLM can compute it, or if the bytes are not valid base64
   */
  async vllmHash(model: string): Promise<string | undefined> {
    const framing = this.#vllmFraming(model);
    return framing && this.#hash(model, framing);
  }

  /** Whether the bytes are valid base64. @param model for whose vLLM its hash will be needed; that is then computed at once */
  async isValid(model: string | undefined): Promise<boolean> {
    const framing = model === undefined ? undefined : this.#vllmFraming(model);
    const hash = framing === undefined ? this.digest() : this.#hash(model!, framing);
    return (await hash) !== undefined;
  }

  #vllmFraming(model: string): Framing | undefined {
    if (this.info?.kind !== "image" || this.kind !== "image" || this.#tools.hash !== "blake3")
      return undefined;
    return vllmImageFraming(this.info, this.size, model);
  }

  #hash(name: string, { before, after }: Framing): Promise<string | undefined> {
    const known = this.#hashes.get(name) ?? this.#compute(before, after);
    this.#hashes.set(name, known);
    return known;
  }

  async #compute(before: Uint8Array, after: Uint8Array): Promise<string | undefined> {
    const hasher = this.#tools.createHasher();
    hasher.update(before);
    if (!(await this.#bytes.readAll((bytes) => hasher.update(bytes)))) return undefined;
    hasher.update(after);
    return hasher.hex();
  }
}

const ascii = new TextDecoder("latin1");

const NO_FRAMING: Framing = { before: new Uint8Array(0), after: new Uint8Array(0) };

/** Its media type by its bytes: https://www.iana.org/assignments/media-types */
export function mediaTypeOf({ kind, info }: Medium): string {
  const format = info === undefined || info.kind === "broken" ? undefined : info.format;
  if (format === "pdf") return "application/pdf";
  if (format === undefined) return "application/octet-stream";
  return `${info?.kind ?? kind}/${SUBTYPES[format] ?? format}`;
}

const SUBTYPES: Readonly<Record<string, string>> = {
  mp3: "mpeg",
  m4a: "mp4",
  mov: "quicktime",
  mkv: "x-matroska",
  avi: "x-msvideo",
};
