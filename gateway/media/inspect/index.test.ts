import { expect, test } from "vitest";
import cases from "./fixtures/media.json" with { type: "json" };
import { inspectMedia, type MediaBytes } from "./index.ts";

/** A file of which only the parts that are not zeros were kept. */
function fileOf({ size, parts }: (typeof cases)[number]): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [offset, base64] of parts) bytes.set(Buffer.from(String(base64), "base64"), Number(offset));
  return bytes;
}

const mediaOf = (file: Uint8Array): MediaBytes => ({
  size: file.length,
  read: (from, length) => file.subarray(from, from + length),
});

test.each(cases)("reads $name as other libraries do", (item) => {
  const info = inspectMedia(mediaOf(fileOf(item)));
  // JSON has no undefined.
  const own = Object.fromEntries(
    Object.entries(item.expected).map(([name, value]) => [name, value ?? undefined]),
  );
  expect(info).toMatchObject(own);
});
