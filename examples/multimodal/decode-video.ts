/**
 * Frames of videos in MP4, QuickTime, WebM and Matroska: mediabunny reads the containers, and FFmpeg's decoders by way of
 * @napi-rs/webcodecs the frames. `npm run -s video` installs both (80 MB), and prints their folder.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pngOf } from "./media.ts";
import { chosenFrames, type Sampling } from "./sample-frames.ts";

export interface SampledVideo {
  /** PNG files. */
  readonly frames: readonly Uint8Array[];
  /** How many frames the video has. */
  readonly of: number;
}

export interface VideoFrames {
  /** @throws Error if the file is no video, or of a codec that is not known */
  sample(file: Uint8Array, sampling: Sampling): Promise<SampledVideo>;
  /** A video of one colour after another, in MP4 with H.264, for trying. @param colours red, green and blue of each frame */
  make(side: number, rate: number, colours: readonly (readonly number[])[]): Promise<Uint8Array>;
}

/** What is used of mediabunny 1.61. */
interface Mediabunny {
  readonly ALL_FORMATS: unknown;
  readonly BufferSource: new (file: Uint8Array) => unknown;
  readonly Input: new (options: object) => { getPrimaryVideoTrack(): Promise<VideoTrack | null> };
  readonly VideoSampleSink: new (
    track: VideoTrack,
  ) => {
    samplesAtTimestamps(seconds: readonly number[]): AsyncIterable<VideoSample | null>;
  };
  readonly BufferTarget: new () => { readonly buffer: ArrayBuffer | null };
  readonly Mp4OutputFormat: new () => unknown;
  readonly Output: new (
    options: object,
  ) => {
    addVideoTrack(source: unknown, options: object): void;
    start(): Promise<void>;
    finalize(): Promise<void>;
  };
  readonly VideoSampleSource: new (options: object) => { add(sample: VideoSample): Promise<void> };
  readonly VideoSample: new (pixels: Uint8Array, options: object) => VideoSample;
}

interface VideoTrack {
  computePacketStats(): Promise<{ readonly packetCount: number; readonly averagePacketRate: number }>;
  getFirstTimestamp(): Promise<number>;
}

interface VideoSample {
  readonly codedWidth: number;
  readonly codedHeight: number;
  allocationSize(options: object): number;
  copyTo(pixels: Uint8Array, options: object): Promise<unknown>;
  close(): void;
}

const RGBA = { format: "RGBA" };

/** The codecs for Linux on x64, or for whatever machine `@napi-rs/webcodecs` is installed on. */
const CODECS = ["@napi-rs/webcodecs-linux-x64-gnu", "@napi-rs/webcodecs"];

/** @param folder of the packages @throws Error if they are not there, or not for this machine */
export function openVideoFrames(given: string): VideoFrames {
  const folder = resolve(given);
  const load = createRequire(join(folder, "package.json"));
  const [codecs] = CODECS.filter((name) => isThere(name, load.resolve));
  if (codecs === undefined)
    throw new Error(
      `${folder} has no codecs for this machine. Run: npm install --prefix ${folder} @napi-rs/webcodecs`,
    );
  // Mediabunny expects them where browsers have them.
  Object.assign(globalThis, load(codecs));
  const bunny: Mediabunny = load("mediabunny");
  return {
    sample: (file, sampling) => sample(bunny, file, sampling),
    make: (side, rate, colours) => make(bunny, side, rate, colours),
  };
}

function isThere(name: string, find: NodeJS.RequireResolve): boolean {
  try {
    return find(name) !== "";
  } catch {
    return false;
  }
}

async function sample(bunny: Mediabunny, file: Uint8Array, sampling: Sampling): Promise<SampledVideo> {
  const input = new bunny.Input({ formats: bunny.ALL_FORMATS, source: new bunny.BufferSource(file) });
  const track = await input.getPrimaryVideoTrack();
  if (track === null) throw new Error("The file has no video.");
  const { packetCount, averagePacketRate: rate } = await track.computePacketStats();
  const begin = await track.getFirstTimestamp();
  const times = chosenFrames(packetCount, rate, sampling).map((index) => begin + index / rate);
  const frames: Uint8Array[] = [];
  for await (const each of new bunny.VideoSampleSink(track).samplesAtTimestamps(times)) {
    if (each === null) continue;
    const pixels = new Uint8Array(each.allocationSize(RGBA));
    await each.copyTo(pixels, RGBA);
    frames.push(pngOf(each.codedWidth, each.codedHeight, pixels));
    each.close();
  }
  return { frames, of: packetCount };
}

async function make(
  bunny: Mediabunny,
  side: number,
  rate: number,
  colours: readonly (readonly number[])[],
): Promise<Uint8Array> {
  const target = new bunny.BufferTarget();
  const output = new bunny.Output({ format: new bunny.Mp4OutputFormat(), target });
  const source = new bunny.VideoSampleSource({ codec: "avc", bitrate: 500_000 });
  output.addVideoTrack(source, { frameRate: rate });
  await output.start();
  for (const [index, colour] of colours.entries()) {
    const pixels = Uint8Array.from({ length: side * side * 4 }, (_, at) => colour[at % 4] ?? 255);
    const frame = { codedWidth: side, codedHeight: side, timestamp: index / rate, duration: 1 / rate };
    const made = new bunny.VideoSample(pixels, { ...RGBA, ...frame });
    await source.add(made);
    made.close();
  }
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}
