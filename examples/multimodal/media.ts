/** Media to send: generated, so that the example needs no files. */
import { crc32, deflateSync } from "node:zlib";

/** A PNG of one colour. */
export const png = (side: number, [red, green, blue]: readonly [number, number, number]): Uint8Array =>
  pngOf(
    side,
    side,
    Uint8Array.from({ length: side * side * 4 }, (_, at) => [red, green, blue, 255][at % 4]!),
  );

/** A PNG of pixels in RGBA: https://www.w3.org/TR/png-3/ */
export function pngOf(width: number, height: number, pixels: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6], 8);
  const rows = Buffer.alloc(height * (1 + 4 * width));
  for (let row = 0; row < height; row++)
    rows.set(pixels.subarray(row * 4 * width, (row + 1) * 4 * width), row * (1 + 4 * width) + 1);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const content = Buffer.concat([Buffer.from(type), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(content), 4);
  return Buffer.concat([ends.subarray(0, 4), content, ends.subarray(4)]);
}

/** A WAV file with 16-bit samples in one channel. @param samples from -1 to 1 */
export function wav(samples: Float32Array, rate: number): Uint8Array {
  const file = Buffer.alloc(44 + 2 * samples.length);
  file.write("RIFF");
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.set([1, 0, 1, 0], 20);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(2 * rate, 28);
  file.set([2, 0, 16, 0], 32);
  file.write("data", 36);
  file.writeUInt32LE(2 * samples.length, 40);
  for (const [index, sample] of samples.entries())
    file.writeInt16LE(Math.round(sample * 32_767), 44 + 2 * index);
  return file;
}

/** A sine wave. */
export const tone = (hertz: number, seconds: number, rate: number): Float32Array =>
  Float32Array.from(
    { length: seconds * rate },
    (_, index) => 0.5 * Math.sin((2 * Math.PI * hertz * index) / rate),
  );

/** A grey JPEG of 8 × 8 pixels: one block, whose only coefficient is its mean (ITU-T T.81). @param grey 0 to 255 */
export function jpeg(grey: number): Uint8Array {
  const mean = grey - 128;
  const size = mean === 0 ? 0 : Math.floor(Math.log2(Math.abs(mean))) + 1;
  const value = mean < 0 ? mean + 2 ** size - 1 : mean;
  // Its category as a code of four bits, its value, and the end of the block as a zero; ones fill the byte.
  const bits = size.toString(2).padStart(4, "0") + (size === 0 ? "" : value.toString(2).padStart(size, "0"));
  const padded = `${bits}0`.padEnd(Math.ceil((bits.length + 1) / 8) * 8, "1");
  const data = padded.match(/.{8}/g)!.flatMap((byte) => {
    const number = Number.parseInt(byte, 2);
    return number === 0xff ? [0xff, 0] : [number];
  });
  const codes = (length: number, symbols: number[]) => [
    ...Array.from({ length: 16 }, (_, index) => (index + 1 === length ? symbols.length : 0)),
    ...symbols,
  ];
  const dc = codes(4, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const ac = codes(1, [0]);
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...[0xff, 0xdb, 0, 67, 0, ...Array<number>(64).fill(8)],
    ...[0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0],
    ...[0xff, 0xc4, 0, 3 + dc.length, 0x00, ...dc],
    ...[0xff, 0xc4, 0, 3 + ac.length, 0x10, ...ac],
    ...[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0],
    ...data,
    ...[0xff, 0xd9],
  ]);
}

/** A video as vLLM takes it without a container: JPEGs in base64, separated by commas. */
export const frameList = (frames: readonly Uint8Array[]): string =>
  `data:video/jpeg;base64,${frames.map((frame) => Buffer.from(frame).toString("base64")).join(",")}`;

export const dataUrl = (type: string, bytes: Uint8Array): string =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
