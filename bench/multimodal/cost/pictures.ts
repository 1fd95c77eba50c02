import { seededRandom } from "#runtime";

/** What a picture's file is called in a data: URL. */
export type PictureFormat = "png" | "jpeg";

/**
 * A file with a picture's header and noise in the place of its pixels, which the gateway never decodes.
 * @param size of the file in bytes
 */
export function pictureFile(format: PictureFormat, size: number): Uint8Array {
  const head = format === "png" ? pngHead(size) : JPEG_HEAD;
  const file = new Uint8Array(size);
  const random = seededRandom(size);
  for (let at = head.length; at < size; at++) file[at] = random() * 256;
  file.set(head);
  return file;
}

/** A chat that asks about a picture, as a client sends it. */
export function chatWith(format: PictureFormat, file: Uint8Array): Uint8Array {
  const url = `data:image/${format};base64,${Buffer.from(file).toString("base64")}`;
  const content = [
    { type: "text", text: "What is in this picture?" },
    { type: "image_url", image_url: { url } },
  ];
  return Buffer.from(
    JSON.stringify({ model: "tiny", messages: [{ role: "user", content }], max_tokens: 50 }),
  );
}

const SIDE = 1024;

/** The signature, IHDR for 8-bit RGB, and the beginning of IDAT: https://www.w3.org/TR/png-3/ */
function pngHead(size: number): Uint8Array {
  const head = Buffer.alloc(41);
  head.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  head.writeUInt32BE(13, 8);
  head.write("IHDR", 12);
  head.writeUInt32BE(SIDE, 16);
  head.writeUInt32BE(SIDE, 20);
  head.set([8, 2, 0, 0, 0], 24);
  head.writeUInt32BE(Math.max(0, size - 45), 33);
  head.write("IDAT", 37);
  return head;
}

/** SOI, a baseline SOF0 with three components, and SOS: ITU-T T.81, B.2. */
const JPEG_HEAD = Uint8Array.from([
  ...[0xff, 0xd8],
  ...[0xff, 0xc0, 0, 17, 8, SIDE >> 8, SIDE & 0xff, SIDE >> 8, SIDE & 0xff, 3],
  ...[1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1],
  ...[0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0],
]);
