import { AudioError } from "./audio-error.ts";
import type { SpeechSamples } from "./samples.ts";

/** What a sample is, by the codes of WAVE: https://www.rfc-editor.org/rfc/rfc2361 */
const [PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE] = [1, 3, 6, 7, 0xfffe];

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
}

/** Frames that are converted at once. */
const BLOCK = 65_536;
/** Sizes that writers who do not know the length leave in the header. */
const UNKNOWN_SIZES = new Set([0, 0xffffffff, 0x7fffffff]);

/**
 * Decodes a RIFF WAVE file: integers of 8 to 32 bits, floats, A-law and µ-law, with any number of channels.
 * @param bytes begins with `RIFF` or `RF64`
 * @throws AudioError with what is wrong
 */
export function decodeWav(bytes: Uint8Array, samples: SpeechSamples): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = text(bytes, at);
    const size = view.getUint32(at + 4, true);
    const content = at + 8;
    if (name === "fmt ") format = readFormat(view, content, size);
    if (name === "data") {
      if (format === undefined) throw new AudioError("The WAV file has sound before its format ('fmt ').");
      const rest = bytes.length - content;
      if (size > rest && !UNKNOWN_SIZES.has(size))
        throw new AudioError(
          `The WAV file is cut off: its header promises ${size} bytes of sound, and ${rest} follow.`,
        );
      decode(view, content, UNKNOWN_SIZES.has(size) ? rest : size, format, samples);
      return;
    }
    // Chunks are padded to an even length.
    at = content + size + (size % 2);
  }
  throw new AudioError("The WAV file has no sound: there is no 'data' in it.");
}

function readFormat(view: DataView, at: number, size: number): Format {
  if (size < 16 || at + size > view.byteLength)
    throw new AudioError("The WAV file's format ('fmt ') is cut off.");
  const code = view.getUint16(at, true);
  const format = {
    // The code of an extensible format is the start of its GUID.
    code: code === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : code,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
  if (format.channels === 0) throw new AudioError("The WAV file says that it has no channels.");
  if (!(readerOf(format) instanceof Function))
    throw new AudioError(
      `The WAV file's samples (format ${format.code}, ${format.bits} bits) are not supported; use 8, 16, 24 or 32 bits PCM, or floats.`,
    );
  return format;
}

function decode(view: DataView, start: number, size: number, format: Format, samples: SpeechSamples): void {
  const { channels, rate, bits } = format;
  const read = readerOf(format)!;
  const step = bits / 8;
  const frames = Math.floor(size / (step * channels));
  for (let done = 0; done < frames; done += BLOCK) {
    const count = Math.min(BLOCK, frames - done);
    const mono = new Float32Array(count);
    let at = start + done * step * channels;
    for (let frame = 0; frame < count; frame++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++, at += step) sum += read(view, at);
      mono[frame] = sum / channels;
    }
    samples.add([mono], rate);
  }
}

/** Reads a sample as a number from -1 to 1; undefined for a format that is not supported. */
function readerOf({ code, bits }: Format): ((view: DataView, at: number) => number) | undefined {
  switch (`${code} ${bits}`) {
    case `${PCM} 8`:
      return (view, at) => (view.getUint8(at) - 128) / 128;
    case `${PCM} 16`:
      return (view, at) => view.getInt16(at, true) / 32_768;
    case `${PCM} 24`:
      return (view, at) => (view.getUint16(at, true) / 65_536 + view.getInt8(at + 2)) / 128;
    case `${PCM} 32`:
      return (view, at) => view.getInt32(at, true) / 2_147_483_648;
    case `${FLOAT} 32`:
      return (view, at) => finite(view.getFloat32(at, true));
    case `${FLOAT} 64`:
      return (view, at) => finite(view.getFloat64(at, true));
    case `${A_LAW} 8`:
      return (view, at) => aLaw(view.getUint8(at));
    case `${MU_LAW} 8`:
      return (view, at) => muLaw(view.getUint8(at));
    default:
      return undefined;
  }
}

/** A sample that is no number would spread to all that is computed from it. */
const finite = (value: number) => (Number.isFinite(value) ? Math.max(-1, Math.min(1, value)) : 0);

/** ITU-T G.711 */
function aLaw(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code & 0x70) >> 4;
  const mantissa = ((code & 0x0f) << 4) + 8;
  const size = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (code & 0x80 ? size : -size) / 32_768;
}

/** ITU-T G.711 */
function muLaw(byte: number): number {
  const code = ~byte & 0xff;
  const size = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return (code & 0x80 ? -size : size) / 32_768;
}

const text = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
