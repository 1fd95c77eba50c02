import { type HeaderBytes, HeadersEnd } from "../bytes.ts";
import { ORIENTATION, readTags } from "./ifd.ts";

/** Most bytes of an XMP packet that are searched. */
const MAX_XMP = 65_536;

/**
 * What an image's metadata says about its orientation. XMP counts only where EXIF is silent, as in Pillow
 * (`Image.getexif`).
 */
export class Orientation {
  #exif: number | undefined;
  #xmp: number | undefined;

  get value(): number | undefined {
    return valid(this.#exif ?? this.#xmp);
  }

  /** @param from where EXIF starts, with or without its "Exif" prefix */
  readExif(bytes: HeaderBytes, from: number, length: number): void {
    if (this.#exif !== undefined) return;
    try {
      const base = length >= 6 && bytes.text(from, 6) === "Exif\0\0" ? from + 6 : from;
      this.#exif = readTags(bytes, base)?.get(ORIENTATION)?.[0];
    } catch (error) {
      // Broken metadata does not make an image unreadable.
      if (!(error instanceof HeadersEnd)) throw error;
    }
  }

  readXmp(bytes: HeaderBytes, from: number, length: number): void {
    try {
      const packet = new TextDecoder("latin1").decode(bytes.slice(from, Math.min(length, MAX_XMP)));
      const digit = /tiff:Orientation(?:="|>)(\d)/.exec(packet)?.[1];
      if (digit !== undefined) this.#xmp = Number(digit);
    } catch (error) {
      if (!(error instanceof HeadersEnd)) throw error;
    }
  }
}

/** @returns undefined for what is not an orientation: viewers ignore it */
export function valid(orientation: number | undefined): number | undefined {
  return orientation !== undefined && orientation >= 1 && orientation <= 8 ? orientation : undefined;
}
