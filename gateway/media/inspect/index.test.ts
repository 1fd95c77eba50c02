import { expect, test } from "vitest";
import { inspectMedia, type MediaBytes } from "./index.ts";
import { fileOf, mediaCases } from "./test-fixtures.ts";

const mediaOf = (file: Uint8Array): MediaBytes => ({
  size: file.length,
  read: (from, length) => file.subarray(from, from + length),
});

test.each(mediaCases)("reads $name as other libraries do", (item) => {
  const info = inspectMedia(mediaOf(fileOf(item)));
  const own = Object.fromEntries(
    Object.entries(item.expected).map(([name, value]) => [name, value ?? undefined]),
  );
  expect(info).toMatchObject(own);
});
