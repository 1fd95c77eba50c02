import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import OpenAI, { toFile } from "openai";
import { beforeAll, expect, test } from "vitest";
import { metric, until } from "../metrics.ts";
import { type StatorProcess, startUp } from "../stator-process.ts";

/** A real speech model, as `npm run speech` installs it, and ten seconds of real speech. */
let stator: StatorProcess;
let url: string;
let workerUrl: string;
let openai: OpenAI;
/** A WAV file: 16 bits, mono, 16 kHz. */
let beckett: Uint8Array;

/** Installing takes minutes on a slow network. */
const INSTALLATION_MS = 900_000;

beforeAll(async () => {
  const script = fileURLToPath(new URL("../../../scripts/speech.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const folder = stdout.trim();
  beckett = await readFile(join(folder, "moonshine_cpp", "test-data", "beckett.wav"));
  // The worker's own address is in the log at this level.
  stator = startUp("--engine=moonshine", `--model=${folder}`, "--workers=1", "--log-level=debug");
  [, workerUrl = ""] = await stator.printed(/worker is ready .*ops=(\S+)/);
  url = await stator.url();
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}, INSTALLATION_MS);

const SAID = "ever tried ever failed no matter try again fail again fail better";
const HEADER = 44;
const model = "moonshine-base-en";

const wordsOf = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z' ]/g, " ")
    .split(/ +/)
    .filter(Boolean)
    .join(" ");
const speech = (bytes = beckett) => toFile(bytes, "beckett.wav");

/** A WAV file of 16 bits with these samples. */
function wav(samples: Int16Array, { rate = 16_000, channels = 1 } = {}): Uint8Array {
  const bytes = Buffer.alloc(HEADER + samples.length * 2);
  bytes.set(beckett.subarray(0, HEADER));
  bytes.writeUInt32LE(bytes.length - 8, 4);
  // A plain format, whatever the speech's own file has.
  bytes.write("fmt ", 12);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * channels * 2, 28);
  bytes.writeUInt16LE(channels * 2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(samples.length * 2, 40);
  for (const [at, sample] of samples.entries()) bytes.writeInt16LE(sample, HEADER + 2 * at);
  return bytes;
}

function samplesOf(file: Uint8Array): Int16Array {
  const at = Buffer.from(file).indexOf("data") + 8;
  const view = new DataView(file.buffer, file.byteOffset + at);
  return Int16Array.from({ length: Math.floor(view.byteLength / 2) }, (_, index) =>
    view.getInt16(2 * index, true),
  );
}

test("hears every word, with times that follow the pauses", async () => {
  const answer = await openai.audio.transcriptions.create({
    model,
    file: await speech(),
    response_format: "verbose_json",
    language: "en",
  });
  expect(wordsOf(answer.text)).toBe(SAID);
  expect(answer.duration).toBeCloseTo(9.96, 1);
  expect(answer.language).toBe("english");
  const segments = answer.segments!;
  expect(segments.length).toBeGreaterThan(1);
  let before = 0;
  for (const { start, end, text, avg_logprob, no_speech_prob } of segments) {
    expect(start).toBeGreaterThanOrEqual(before);
    expect(end).toBeGreaterThan(start);
    expect(answer.text).toContain(text);
    expect(avg_logprob).toBeGreaterThan(-1);
    expect(no_speech_prob).toBeLessThan(0.6);
    before = end;
  }
  // "Ever tried" begins at 0.35 s, and "Fail better" ends at 8.9 s.
  expect(segments[0]!.start).toBeCloseTo(0.2, 0);
  expect(before).toBeCloseTo(9, 0);
});

test("streams the text as it is heard", async () => {
  const stream = await openai.audio.transcriptions.create({ model, file: await speech(), stream: true });
  const deltas: string[] = [];
  let done = "";
  for await (const event of stream) {
    if (event.type === "transcript.text.delta") deltas.push(event.delta);
    if (event.type === "transcript.text.done") done = event.text;
  }
  expect(deltas.length).toBeGreaterThan(3);
  expect(deltas.join("")).toBe(done);
  expect(wordsOf(done)).toBe(SAID);
});

test("makes subtitles", async () => {
  const srt = await openai.audio.transcriptions.create({
    model,
    file: await speech(),
    response_format: "srt",
  });
  expect(String(srt)).toMatch(/^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nEver tried/);
  expect(
    wordsOf(
      String(srt)
        .replace(/^.*-->.*$|^\d+$/gm, " ")
        .replaceAll("\n", " "),
    ),
  ).toBe(SAID);
});

test("hears stereo at another rate, and long audio in parts", async () => {
  const short = samplesOf(beckett);
  const pause = new Int16Array(16_000 * 5);
  const long = Int16Array.from([short, pause, short, pause, short].flatMap((each) => [...each]));
  // Each sample, and the mean of it and the next one, on two channels.
  const stereo = Int16Array.from({ length: long.length * 4 }, (_, at) => {
    const index = Math.floor(at / 4);
    const now = long[index]!;
    return at % 4 < 2 ? now : Math.round((now + (long[index + 1] ?? now)) / 2);
  });
  const { text, usage } = await openai.audio.transcriptions.create({
    model,
    file: await speech(wav(stereo, { rate: 32_000, channels: 2 })),
  });
  expect(wordsOf(text)).toBe([SAID, SAID, SAID].join(" "));
  expect(usage).toEqual({ type: "duration", seconds: 40 });
});

test.each(["tone.flac", "tone.mp3", "vorbis.ogg", "opus.ogg"])(
  "decodes %s, in which nobody speaks",
  async (name) => {
    const path = fileURLToPath(new URL(`../../../workers/audio/test-tones/${name}`, import.meta.url));
    const tone = await toFile(await readFile(path), name);
    const { text, usage } = await openai.audio.transcriptions.create({ model, file: tone });
    expect(text).toBe("");
    expect(usage).toEqual({ type: "duration", seconds: 1 });
  },
);

test("silence has no text", async () => {
  const silence = await openai.audio.transcriptions.create({
    model,
    file: await speech(wav(new Int16Array(16_000 * 3))),
  });
  expect(silence.text).toBe("");
});

test("answers several at once, and its worker's health meanwhile", async () => {
  const asked = [1, 2, 3].map(async () =>
    openai.audio.transcriptions.create({ model, file: await speech(), response_format: "json" }),
  );
  await until(async () => (await runningAtWorker()) > 0);
  for (const { text } of await Promise.all(asked)) expect(wordsOf(text)).toBe(SAID);
});

test("a client that leaves frees the worker", async () => {
  const long = Int16Array.from(Array.from({ length: 6 }, () => [...samplesOf(beckett)]).flat());
  const stream = await openai.audio.transcriptions.create({
    model,
    file: await speech(wav(long)),
    stream: true,
  });
  for await (const _ of stream) break;
  stream.controller.abort();
  await until(async () => (await runningAtWorker()) === 0);
});

interface Refused {
  readonly file?: () => Promise<File>;
  readonly more?: Partial<OpenAI.Audio.TranscriptionCreateParamsNonStreaming>;
}

test.each<[what: string, asked: Refused, param: string]>([
  ["no audio", { file: () => toFile(Buffer.from("no audio"), "a.wav") }, "file"],
  ["a file that is cut off", { file: () => toFile(beckett.subarray(0, 20_000), "a.wav") }, "file"],
  ["French", { more: { language: "fr" } }, "language"],
  [
    "times of words",
    { more: { response_format: "verbose_json", timestamp_granularities: ["word"] } },
    "timestamp_granularities",
  ],
])("refuses %s", async (_what, { file = speech, more }, param) => {
  const asked = openai.audio.transcriptions.create({ model, file: await file(), ...more });
  await expect(asked).rejects.toMatchObject({ status: 400, param });
});

test("refuses translations and chats", async () => {
  const translation = openai.audio.translations.create({ model, file: await speech() });
  await expect(translation).rejects.toMatchObject({ status: 400, code: "unsupported_model" });
  const chat = openai.chat.completions.create({ model, messages: [{ role: "user", content: "Hi" }] });
  await expect(chat).rejects.toMatchObject({ status: 400, code: "unsupported_model" });
});

test("tells its cost", async () => {
  const seconds = await metric(url, "stator_audio_seconds_total");
  const count = await metric(url, "stator_audio_times_real_time_count");
  const sum = await metric(url, "stator_audio_times_real_time_sum");
  expect(seconds).toBeGreaterThan(60);
  expect(sum / count).toBeGreaterThan(0);
  expect(stator.stderr).toMatch(/transcribed .*timesRealTime=/);
  console.log(`${(sum / count).toFixed(1)} times real time in the mean of ${count} requests`);
});

/** The requests that the worker runs, from its own `/health`. */
async function runningAtWorker(): Promise<number> {
  const { running } = await (await fetch(`${workerUrl}/health`)).json();
  return running;
}
