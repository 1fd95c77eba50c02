import OpenAI, { toFile } from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { openEcho } from "../../../workers/echo/engine.ts";
import { metric, until } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { SILENCE, Stenographer } from "./stenographer.ts";

/** `/v1/audio/…` answered by workers, with an engine whose speech is text already. */
const speech = new Stenographer("speech");
const plain = new Stenographer("plain", { translates: false, wordTimes: false });
let gateway: OwnGateway;
let openai: OpenAI;

beforeAll(async () => {
  gateway = await startOwnGateway({ speech: speech.engine, plain: plain.engine, echo: openEcho() });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
});

const TEXT = "ever tried\never failed";
const file = (text = TEXT) => toFile(Buffer.from(text), "speech.wav");

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
    const response = await ask({ response_format: format });
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
  const wrong = await ask({ "chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "7" });
  expect((await wrong.json()).error.param).toBe("chunking_strategy.threshold");
});

test("the worker gets the file's bytes and all that the engine can use", async () => {
  const bytes = Uint8Array.from({ length: 600_000 }, (_, index) => (index * 31) & 0xff);
  bytes.set(new TextEncoder().encode("\r\n--x\r\n"), 1000);
  const form = { language: "EN", prompt: "Beckett", temperature: "0.25", chunking_strategy: "auto" };
  const response = await ask(form, new Blob([bytes]));
  expect(response.status).toBe(200);
  const { audio, ...request } = speech.asked.at(-1)!;
  expect(Buffer.from(audio).equals(bytes)).toBe(true);
  expect(request).toMatchObject({ language: "en", prompt: "Beckett", temperature: 0.25, words: false });
  expect(request.requestId).toBe(response.headers.get("x-request-id"));
});

describe("a stream", () => {
  test("has the text as it is ready, and ends with all of it", async () => {
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
      response_format: "json",
    });
    const events: object[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      ...["ever", " tried", " ever", " failed"].map((delta) => ({ type: "transcript.text.delta", delta })),
      {
        type: "transcript.text.done",
        text: "ever tried ever failed",
        usage: { type: "duration", seconds: 4 },
      },
    ]);
  });

  test("delivers a word before the next one is heard", async () => {
    const held = Promise.withResolvers<void>();
    speech.onWord = (word) => (word === "tried" ? held.promise : undefined);
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
    });
    const events = stream[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ delta: "ever" });
    held.resolve();
    expect((await events.next()).value).toMatchObject({ delta: " tried" });
    await events.return?.();
  });

  test("of silence has only the end", async () => {
    const audio = await file(SILENCE);
    const stream = await openai.audio.transcriptions.create({ model: "speech", file: audio, stream: true });
    const events: object[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { type: "transcript.text.done", text: "", usage: { type: "duration", seconds: 1 } },
    ]);
  });

  test("continues on another worker when its own is lost, and repeats nothing", async () => {
    const [first, second] = [new Stenographer("twin"), new Stenographer("twin")];
    const held = Promise.withResolvers<void>();
    for (const each of [first, second])
      each.onWord = (word) =>
        word === "tried" && first.asked.length + second.asked.length === 1 ? held.promise : undefined;
    const twins = await startOwnGateway({ first: first.engine, second: second.engine });
    const client = new OpenAI({ baseURL: `${twins.url}/v1`, apiKey: "none", maxRetries: 0 });
    const stream = await client.audio.transcriptions.create({
      model: "twin",
      file: await file(),
      stream: true,
    });
    const texts: string[] = [];
    for await (const event of stream) {
      if (event.type === "transcript.text.done") texts.push(event.text);
      if (event.type !== "transcript.text.delta") continue;
      texts.push(event.delta);
      if (texts.length === 1) void twins.kill(first.asked.length === 1 ? "first" : "second");
    }
    held.resolve();
    expect(texts).toEqual(["ever", " tried", " ever", " failed", "ever tried ever failed"]);
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });

  test("stops the engine when the client leaves", async () => {
    const held = Promise.withResolvers<void>();
    const aborted = speech.aborted;
    speech.onWord = (word) => (word === "tried" ? held.promise : undefined);
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
    });
    for await (const _ of stream) break;
    stream.controller.abort();
    await until(async () => (await metric(gateway.url, "stator_disconnected_clients_total")) > 0);
    held.resolve();
    await until(async () => speech.aborted > aborted);
  });
});

test("a client that leaves before its whole answer stops the engine", async () => {
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const aborted = speech.aborted;
  speech.onWord = () => {
    begun.resolve();
    return held.promise;
  };
  const leaving = new AbortController();
  const answer = ask({}, new Blob([TEXT]), { signal: leaving.signal });
  answer.catch(() => {});
  await begun.promise;
  const before = await metric(gateway.url, "stator_disconnected_clients_total");
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await until(async () => (await metric(gateway.url, "stator_disconnected_clients_total")) > before);
  held.resolve();
  await until(async () => speech.aborted > aborted);
  speech.onWord = () => {};
});

test("x-stator-explain names the worker, streamed or not", async () => {
  for (const stream of ["true", "false"]) {
    const init = { headers: { "x-stator-explain": "true" } };
    const response = await ask({ model: "plain", stream }, new Blob([TEXT]), init);
    expect(response.headers.get("x-stator-worker")).toBe("plain");
    await response.body?.cancel();
  }
});

test("a deadline ends the request", async () => {
  const held = Promise.withResolvers<void>();
  speech.onWord = () => held.promise;
  const response = await ask({}, new Blob([TEXT]), { headers: { "x-stator-deadline-ms": "50" } });
  expect(response.status).toBe(504);
  held.resolve();
  speech.onWord = () => {};
});

describe("refusals are OpenAI's errors", () => {
  test.each<[what: string, fields: Record<string, string>, param: string | null, code: string]>([
    ["a model without the API", { model: "echo" }, "model", "unsupported_model"],
    ["a model of another name", { model: "" }, "model", "model_not_found"],
    ["another format", { response_format: "docx" }, "response_format", "invalid_value"],
    ["a temperature that is text", { temperature: "warm" }, "temperature", "invalid_type"],
    ["a temperature out of range", { temperature: "2" }, "temperature", "invalid_value"],
    ["a stream that is neither", { stream: "maybe" }, "stream", "invalid_value"],
    [
      "times without verbose_json",
      { "timestamp_granularities[]": "word" },
      "timestamp_granularities",
      "invalid_value",
    ],
    [
      "times of syllables",
      { "timestamp_granularities[]": "syllable", response_format: "verbose_json" },
      "timestamp_granularities[0]",
      "invalid_value",
    ],
    [
      "times of words that the model lacks",
      { model: "plain", timestamp_granularities: "word", response_format: "verbose_json" },
      "timestamp_granularities",
      "unsupported_parameter",
    ],
    ["a stream of subtitles", { stream: "true", response_format: "srt" }, "response_format", "invalid_value"],
    ["log probabilities", { "include[]": "logprobs" }, "include", "unsupported_parameter"],
    ["another way to cut", { chunking_strategy: "manual" }, "chunking_strategy", "invalid_value"],
    ["a language that the model does not speak", { language: "xx" }, "language", "invalid_value"],
  ])("for %s", async (_what, fields, param, code) => {
    const response = await ask(fields);
    const { error } = await response.json();
    expect(error).toMatchObject({ param, code });
    expect(response.status).toBe(code === "model_not_found" ? 404 : 400);
  });

  test.each([
    ["empty", new Blob([]), "The file 'speech.wav' is empty."],
    ["not audio", new Blob(["?"]), "The file is not audio."],
  ])("for a file that is %s", async (_what, blob, message) => {
    const response = await ask({}, blob);
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ param: "file", message });
  });

  test("for a file that is a text field, or missing, or cut off", async () => {
    const form = new FormData();
    form.set("model", "speech");
    expect((await refusal(form)).param).toBe("file");
    form.set("file", "speech.wav");
    expect(await refusal(form)).toMatchObject({ param: "file", code: "invalid_value" });
    const type = "multipart/form-data; boundary=x";
    const start = '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nspeech\r\n--x\r\n';
    const cut = `${start}content-disposition: form-data; name="file"; filename="a"\r\n\r\nsound`;
    expect(await refusal(cut, { "content-type": type })).toMatchObject({ param: "file" });
  });

  test("for translations by a model that only transcribes", async () => {
    const response = await ask({ model: "plain" }, new Blob([TEXT]), {}, "/v1/audio/translations");
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ code: "unsupported_model", param: "model" });
  });

  test("for a body that is not a form, or too large", async () => {
    const response = await gateway.post("/v1/audio/transcriptions", { model: "speech" });
    expect(response.status).toBe(415);
    expect((await ask({}, new Blob([new Uint8Array(1_000_001)]))).status).toBe(413);
  });
});

test("metrics of gateway and worker count seconds of audio, and how many times real time they took", async () => {
  const read = async () => {
    const gatewaySide = ["stator_audio_seconds_total", "stator_audio_times_real_time_sum"];
    const workerSide = ["seconds_total", "compute_seconds_total", "times_real_time_sum"];
    return Promise.all([
      ...gatewaySide.map((name) => metric(gateway.url, name, { model: "plain" })),
      ...workerSide.map((name) => metric(gateway.opsUrls[1]!, `stator_worker_audio_${name}`)),
    ]);
  };
  const before = await read();
  await ask({ model: "plain" });
  const after = await read();
  expect(after.map((value, index) => value - before[index]!)).toEqual([3.5, 7, 3.5, 0.5, 7]);
});

function ask(
  fields: Record<string, string>,
  blob = new Blob([TEXT]),
  init: RequestInit = {},
  path = "/v1/audio/transcriptions",
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ model: "speech", ...fields })) form.set(name, value);
  form.set("file", blob, "speech.wav");
  return fetch(gateway.url + path, { method: "POST", body: form, ...init });
}

async function refusal(body: FormData | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, { method: "POST", body, headers });
  expect(response.status).toBe(400);
  return (await response.json()).error;
}
