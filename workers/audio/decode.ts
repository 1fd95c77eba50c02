import { messageOf } from "#runtime";
import { AudioError } from "./audio-error.ts";
import { SpeechSamples } from "./samples.ts";
import { decodeWav } from "./wav.ts";

/** Longest audio that is taken, in seconds: half a gigabyte of samples. */
const MOST_SECONDS = 2 * 60 * 60;

const TAKEN = "Send WAV, FLAC, MP3, or Ogg with Vorbis or Opus.";

type Container = "wav" | "mp3" | "flac" | "vorbis" | "opus";

/** Names of what is recognised but not decoded. */
type Refused =
  | "AAC"
  | "AIFF"
  | "AMR"
  | "CAF"
  | "MP4 or M4A"
  | "Ogg without Vorbis, Opus or FLAC"
  | "WebM or Matroska";

/**
 * The sound of an audio file as mono samples, 16,000 a second, from -1 to 1.
 * @throws AudioError if it is not audio, is damaged, is too long or has no sound
 */
export async function decodeAudio(bytes: Uint8Array): Promise<Float32Array> {
  if (bytes.length === 0) throw new AudioError(`The file is empty. ${TAKEN}`);
  const found = containerOf(bytes);
  if (found === undefined)
    throw new AudioError(`The file is not audio in a format that is known here. ${TAKEN}`);
  if (!isTaken(found)) throw new AudioError(`The file is ${found}, which is not supported. ${TAKEN}`);
  const samples = new SpeechSamples(MOST_SECONDS);
  if (found === "wav") decodeWav(bytes, samples);
  else await decodeCompressed(found, bytes, samples);
  const all = samples.end();
  if (all.length === 0) throw new AudioError(`The ${NAMES[found]} file has no sound in it, or is damaged.`);
  return all;
}

const NAMES = { wav: "WAV", mp3: "MP3", flac: "FLAC", vorbis: "Ogg Vorbis", opus: "Ogg Opus" };

const isTaken = (found: Container | Refused): found is Container => found in NAMES;

async function decodeCompressed(
  container: Exclude<Container, "wav">,
  bytes: Uint8Array,
  samples: SpeechSamples,
): Promise<void> {
  const { decodeFlac, decodeMp3, decodeOpus, decodeVorbis } = await import("./compressed.ts");
  const decoders = { mp3: decodeMp3, flac: decodeFlac, vorbis: decodeVorbis, opus: decodeOpus };
  try {
    await decoders[container](bytes, samples);
  } catch (cause) {
    if (cause instanceof AudioError) throw cause;
    throw new AudioError(`The ${NAMES[container]} file cannot be decoded: ${messageOf(cause)}`, { cause });
  }
}

/** By their first bytes; what a file is called says less. */
function containerOf(bytes: Uint8Array): Container | Refused | undefined {
  const ascii = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
  const start = ascii(0, 4);
  if ((start === "RIFF" || start === "RF64") && ascii(8, 4) === "WAVE") return "wav";
  if (start === "fLaC") return "flac";
  if (start === "OggS") return oggOf(ascii(0, 128));
  if (start === "FORM") return "AIFF";
  if (start === "caff") return "CAF";
  if (start === "#!AM") return "AMR";
  if (ascii(4, 4) === "ftyp") return "MP4 or M4A";
  if (start === "\x1aE\xdf\xa3") return "WebM or Matroska";
  if (start.startsWith("ID3")) return "mp3";
  const [first = 0, second = 0] = bytes;
  // MPEG's frames begin with 11 ones, then the version and the layer; layer 0 is AAC.
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return undefined;
  return (second & 0x06) === 0 ? "AAC" : "mp3";
}

function oggOf(page: string): Container | Refused {
  if (page.includes("OpusHead")) return "opus";
  if (page.includes("\x01vorbis")) return "vorbis";
  return page.includes("\x7fFLAC") ? "flac" : "Ogg without Vorbis, Opus or FLAC";
}
