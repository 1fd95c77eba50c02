import type { ImageInfo } from "./inspect/info.ts";

/** What is hashed before and after a medium's bytes. */
export interface Framing {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/**
 * How vLLM frames an image's bytes for the hash by which its caches know the image (BLAKE3, its default
 * `--mm-hasher-algorithm`). Every value begins with its kind, and every text with its length, as of vLLM 0.32
 * (`vllm/multimodal/hasher.py`).
 * @param size of the image's file, in bytes
 * @param model as given to vLLM with `--model`
 * @returns undefined if its header does not tell in which mode it is decoded
 */
export function vllmImageFraming(
  { isRgb }: Pick<ImageInfo, "isRgb">,
  size: number,
  model: string,
): Framing | undefined {
  if (isRgb === undefined) return undefined;
  const data = isRgb
    ? [...text("image"), LEAF, ...length(size)]
    : [
        ...text("image"),
        MAP,
        ...length(2),
        ...text("io_config"),
        ...CONVERSION,
        ...text("data"),
        LEAF,
        ...length(size),
      ];
  return {
    before: Uint8Array.from([...text("image"), LEAF, ...data]),
    after: Uint8Array.from([...text("model_id"), LEAF, ...text(model)]),
  };
}

const [LIST, MAP, LEAF] = [1, 2, 3];

/** Eight bytes, little-endian. */
function length(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return Uint8Array.from([...length(bytes.length), ...bytes]);
}

/** Other modes are converted, with white behind what is transparent. */
const CONVERSION = [
  MAP,
  ...length(2),
  ...text("image_mode"),
  LEAF,
  ...text("RGB"),
  ...text("rgba_background_color"),
  LIST,
  ...length(3),
  ...[255, 255, 255].flatMap((value) => [LEAF, ...length(8), ...length(value)]),
];
