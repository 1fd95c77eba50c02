import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { metric } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ask, file } from "./ask.ts";
import { Stenographer } from "./stenographer.ts";

/** Answers of workers to `/v1/audio/…`, with an engine whose speech is text already. */
const speech = new Stenographer("speech");
let gateway: OwnGateway;
let openai: OpenAI;

beforeAll(async () => {
  gateway = await startOwnGateway({ speech: speech.engine });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
});

describe("formats", () => {
  test("json, with the audio's length in whole seconds", async () => {
    const answer = await openai.audio.transcriptions.create({ model: "speech", file: await file() });
    expect(answer).toEqual({ text: "ever tried ever failed", usage: { type: "duration", seconds: 4 } });
  });

  test("verbose_json, with times of segments and words", async () => {
    const answer = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      response_format: "verbose_json",
      timestamp_granularities: ["segment", "word"],
      temperature: 0.5,
    });
    const common = { tokens: [1, 2], temperature: 0.5, avg_logprob: -0.5, no_speech_prob: 0.1 };
    const compression_ratio = expect.closeTo(0.55, 1);
    expect(answer).toEqual({
      task: "transcribe",
      language: "english",
      duration: 3.5,
      text: "ever tried ever failed",
      segments: [
        { id: 0, seek: 0, start: 0, end: 2, text: "ever tried", compression_ratio, ...common },
        { id: 1, seek: 200, start: 2, end: 4, text: "ever failed", compression_ratio, ...common },
      ],
      words: ["ever", "tried", "ever", "failed"].map((word, at) => ({ word, start: at, end: at + 0.5 })),
      usage: { type: "duration", seconds: 4 },
    });
  });

  test.each([
    ["segment", ["segments"]],
    ["word", ["words"]],
  ] as const)("verbose_json with times of a %s has no others", async (granularity, has) => {
    const answer = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      response_format: "verbose_json",
      timestamp_granularities: [granularity],
    });
    expect(Object.keys(answer).filter((key) => key === "segments" || key === "words")).toEqual(has);
  });

  test.each([
    ["text", "text/plain", "ever tried ever failed\n"],
    [
      "srt",
      "application/x-subrip",
      "1\n00:00:00,000 --> 00:00:02,000\never tried\n\n2\n00:00:02,000 --> 00:00:04,000\never failed\n\n",
    ],
    [
      "vtt",
      "text/vtt",
      "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\never tried\n\n00:00:02.000 --> 00:00:04.000\never failed\n\n",
    ],
  ])("%s", async (format, type, body) => {
    const response = await ask(gateway.url, { fields: { response_format: format } });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
    expect(await response.text()).toBe(body);
  });

  test("translations, in English", async () => {
    const answer = await openai.audio.translations.create({
      model: "speech",
      file: await file(),
      response_format: "verbose_json",
    });
    expect(answer).toMatchObject({ task: "translate", language: "english", text: "EVER TRIED EVER FAILED" });
  });
});

test("OpenAI's ways to cut audio are taken", async () => {
  const chunking_strategy = { type: "server_vad", threshold: 0.5, silence_duration_ms: 300 } as const;
  const audio = await file();
  const answer = await openai.audio.transcriptions.create({
    model: "speech",
    file: audio,
    chunking_strategy,
  });
  expect(answer.text).toBe("ever tried ever failed");
  const fields = { "chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "7" };
  const wrong = await ask(gateway.url, { fields });
  expect((await wrong.json()).error.param).toBe("chunking_strategy.threshold");
});

test("the worker gets the file's bytes and all that the engine can use", async () => {
  const bytes = Uint8Array.from({ length: 600_000 }, (_, index) => (index * 31) & 0xff);
  bytes.set(new TextEncoder().encode("\r\n--x\r\n"), 1000);
  const fields = { language: "EN", prompt: "Beckett", temperature: "0.25", chunking_strategy: "auto" };
  const response = await ask(gateway.url, { fields, blob: new Blob([bytes]) });
  expect(response.status).toBe(200);
  const { audio, ...request } = speech.asked.at(-1)!;
  expect(Buffer.from(audio).equals(bytes)).toBe(true);
  expect(request).toMatchObject({ language: "en", prompt: "Beckett", temperature: 0.25, words: false });
  expect(request.requestId).toBe(response.headers.get("x-request-id"));
});

test("x-stator-explain names the worker, streamed or not", async () => {
  for (const stream of ["true", "false"]) {
    const init = { headers: { "x-stator-explain": "true" } };
    const response = await ask(gateway.url, { fields: { stream }, init });
    expect(response.headers.get("x-stator-worker")).toBe("speech");
    await response.body?.cancel();
  }
});

test("metrics of gateway and worker count seconds of audio, and how many times real time they took", async () => {
  const read = async () => {
    const gatewaySide = ["stator_audio_seconds_total", "stator_audio_times_real_time_sum"];
    const workerSide = ["seconds_total", "compute_seconds_total", "times_real_time_sum"];
    return Promise.all([
      ...gatewaySide.map((name) => metric(gateway.url, name, { model: "speech" })),
      ...workerSide.map((name) => metric(gateway.opsUrls[0]!, `stator_worker_audio_${name}`)),
    ]);
  };
  const before = await read();
  await ask(gateway.url);
  const after = await read();
  expect(after.map((value, index) => value - before[index]!)).toEqual([3.5, 7, 3.5, 0.5, 7]);
});
