import type { HeaderBytes } from "../bytes.ts";
import { broken, type MediaFormat } from "../format.ts";
import { Orientation } from "./orientation.ts";
import { sized } from "./sized.ts";

/** JPEG up to its first scan (ITU-T T.81, annex B). */
export const jpeg: MediaFormat = {
  medium: "image",
  format: "jpeg",
  matches: (head) => head.has("\xff\xd8\xff"),
  read(bytes) {
    const orientation = new Orientation();
    let frame: { width: number; height: number; components: number } | undefined;
    for (let at = 2; ; ) {
      const marker = markerAt(bytes, at);
      const code = marker.code;
      at = marker.end;
      if (isAlone(code)) continue;
      if (code === SCAN || code === END) break;
      const length = bytes.u16(at);
      if (length < 2) return broken(this, "invalid");
      if (isFrame(code)) {
        frame = { height: bytes.u16(at + 3), width: bytes.u16(at + 5), components: bytes.u8(at + 7) };
      } else if (code === APP1) {
        readMetadata(bytes, at + 2, length - 2, orientation);
      }
      at += length;
    }
    if (frame === undefined) return broken(this, "invalid");
    // Grey has one component, CMYK four; Pillow opens no others.
    const { width, height, components } = frame;
    return sized({
      format: "jpeg",
      width,
      height,
      isRgb: components === 3,
      orientation: orientation.value,
    });
  },
};

const [APP1, SCAN, END] = [0xe1, 0xda, 0xd9];
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";

/** The next marker from an offset on. Anything may fill the space before it, as in libjpeg, not only 0xff. */
function markerAt(bytes: HeaderBytes, from: number): { code: number; end: number } {
  for (let at = from; ; at += 1) {
    if (bytes.u8(at) !== 0xff) continue;
    const code = bytes.u8(at + 1);
    if (code !== 0 && code !== 0xff) return { code, end: at + 2 };
  }
}

/** Markers without a segment: TEM, restarts and a start of image. */
function isAlone(code: number): boolean {
  return code === 0x01 || (code >= 0xd0 && code <= 0xd8);
}

/** The frame headers, SOF0 to SOF15 and that of hierarchical images; not DHT, JPG and DAC between them. */
function isFrame(code: number): boolean {
  return (code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code)) || code === 0xde;
}

function readMetadata(bytes: HeaderBytes, at: number, length: number, orientation: Orientation): void {
  const startsWith = (prefix: string) => length >= prefix.length && bytes.text(at, prefix.length) === prefix;
  if (startsWith(EXIF)) orientation.readExif(bytes, at, length);
  else if (startsWith(XMP)) orientation.readXmp(bytes, at + XMP.length, length - XMP.length);
}
