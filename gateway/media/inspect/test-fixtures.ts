import cases from "./fixtures/media.json" with { type: "json" };

/** A file that other libraries wrote, and what they say of it. JSON has null for what is undefined. */
export type MediaCase = (typeof cases)[number];

export const mediaCases: readonly MediaCase[] = cases;

/** The file, of which only the parts that are not zeros were kept. */
export function fileOf({ size, parts }: MediaCase): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const part of parts.split(" ")) {
    const [offset, base64] = part.split(":");
    bytes.set(Buffer.from(base64!, "base64"), Number(offset));
  }
  return bytes;
}
