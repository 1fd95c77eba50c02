import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import CodecParser, { type CodecHeader, type OggPage } from "codec-parser";
import { MPEGDecoder } from "mpg123-decoder";
import { OpusDecoder } from "opus-decoder";
import { AudioError } from "./audio-error.ts";
import type { SpeechSamples } from "./samples.ts";

/** What the decoders' results have in common. */
interface Decoded {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
}

/** Decodes a compressed file; damaged parts are left out. */
export type Decode = (bytes: Uint8Array, samples: SpeechSamples) => Promise<void>;

/** Bytes that are decoded at once: minutes of speech in these formats would not fit in memory as samples. */
const BLOCK = 64 * 1024;

export const decodeMp3: Decode = async (bytes, samples) => {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    for (const block of blocksOf(bytes)) add(decoder.decode(block), samples);
  } finally {
    decoder.free();
  }
};

export const decodeFlac: Decode = async (bytes, samples) => {
  const decoder = new FLACDecoder();
  await decoder.ready;
  try {
    for (const block of blocksOf(bytes)) add(await decoder.decode(block), samples);
    add(await decoder.flush(), samples);
  } finally {
    decoder.free();
  }
};

export const decodeVorbis: Decode = async (bytes, samples) => {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    for (const block of blocksOf(bytes)) add(await decoder.decode(block), samples);
    add(await decoder.flush(), samples);
  } finally {
    decoder.free();
  }
};

/** Opus in Ogg: https://www.rfc-editor.org/rfc/rfc7845 */
export const decodeOpus: Decode = async (bytes, samples) => {
  let decoder: OpusDecoder | undefined;
  try {
    for (const { codecFrames } of pagesOf(bytes)) {
      const [first] = codecFrames;
      if (first === undefined) continue;
      decoder ??= await openOpus(first.header);
      add(decoder.decodeFrames(codecFrames.map(({ data }) => data)), samples);
    }
  } finally {
    decoder?.free();
  }
};

function* pagesOf(bytes: Uint8Array): Generator<OggPage> {
  const parser = new CodecParser<OggPage>("audio/ogg");
  for (const block of blocksOf(bytes)) yield* all(parser.parseChunk(block));
  // The last frame is complete only now.
  yield* all(parser.flush());
}

function* all<Item>(iterator: Iterator<Item>): Generator<Item> {
  for (let next = iterator.next(); !next.done; next = iterator.next()) yield next.value;
}

async function openOpus(header: CodecHeader): Promise<OpusDecoder> {
  if (!("preSkip" in header))
    throw new AudioError("The Ogg file's Opus frames have another format's header.");
  const { channels, preSkip, streamCount, coupledStreamCount, channelMappingTable } = header;
  const decoder = new OpusDecoder({
    channels,
    preSkip,
    streamCount,
    coupledStreamCount,
    channelMappingTable,
  });
  await decoder.ready;
  return decoder;
}

function add({ channelData, samplesDecoded, sampleRate }: Decoded, samples: SpeechSamples): void {
  if (samplesDecoded === 0) return;
  samples.add(
    channelData.map((channel) => channel.subarray(0, samplesDecoded)),
    sampleRate,
  );
}

function* blocksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += BLOCK) yield bytes.subarray(at, at + BLOCK);
}
