import { expect, test } from "vitest";
import { decodePicture } from "./decode-picture.ts";
import { PictureError } from "./picture-error.ts";
import type { Sharp, SharpImage } from "./sharp.ts";

/** A sharp that finds this size in a picture's header, and fails to decode the picture. */
function sharp(width: number, failure: string): Sharp {
  const image: SharpImage = {
    metadata: () => Promise.resolve({ autoOrient: { width, height: 1 } }),
    toBuffer: () => Promise.reject(new Error(failure)),
    ...{ autoOrient: () => image, resize: () => image, flatten: () => image },
    ...{ toColourspace: () => image, timeout: () => image, raw: () => image },
  };
  return Object.assign(() => image, { cache: () => undefined, concurrency: () => undefined });
}

const PNG = Uint8Array.from("\x89PNG\r\n\x1a\n", (each) => each.charCodeAt(0));

test.each([
  [
    "with too many pixels",
    10,
    "Input image exceeds pixel limit",
    /more than 67108864 pixels\. Send a smaller/,
  ],
  ["with a side that is too long", 70_000, "", /more than 65535 pixels\. Send a smaller/],
  ["that takes too long", 10, "timeout: 30% complete", /too long to decode\. Send a smaller/],
])("a picture %s is too large, and the error says what to send", async (_, width, failure, message) => {
  const error: unknown = await decodePicture(sharp(width, failure), PNG).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PictureError);
  expect(error).toMatchObject({ problem: "too_large", message: expect.stringMatching(message) });
});
