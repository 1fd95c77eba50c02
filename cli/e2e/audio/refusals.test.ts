import { beforeAll, expect, test } from "vitest";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ask } from "./ask.ts";
import { Stenographer } from "./stenographer.ts";

/** What is wrong with a transcription's request is told in OpenAI's errors. */
let gateway: OwnGateway;

beforeAll(async () => {
  const speech = new Stenographer("speech");
  const plain = new Stenographer("plain", { translates: false, wordTimes: false });
  gateway = await startOwnGateway({ speech: speech.engine, plain: plain.engine, echo: openEcho() });
});

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
  [
    "a threshold in JSON",
    { chunking_strategy: '{"type":"server_vad","threshold":7}' },
    "chunking_strategy.threshold",
    "invalid_value",
  ],
  ["broken JSON", { chunking_strategy: '{"type"' }, "chunking_strategy", "invalid_value"],
  ["another way to cut", { chunking_strategy: "manual" }, "chunking_strategy", "invalid_value"],
  ["a language that the model does not speak", { language: "xx" }, "language", "invalid_value"],
])("refuses %s", async (_what, fields, param, code) => {
  const response = await ask(gateway.url, { fields });
  const { error } = await response.json();
  expect(error).toMatchObject({ param, code });
  expect(response.status).toBe(code === "model_not_found" ? 404 : 400);
});

test.each([
  ["empty", new Blob([]), "The file 'speech.wav' is empty."],
  ["not audio", new Blob(["?"]), "The file is not audio."],
])("refuses a file that is %s", async (_what, blob, message) => {
  const response = await ask(gateway.url, { blob });
  expect(response.status).toBe(400);
  expect((await response.json()).error).toMatchObject({ param: "file", message });
});

test("refuses a file that is a text field, or missing, or cut off", async () => {
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

test("refuses translations by a model that only transcribes", async () => {
  const response = await ask(gateway.url, { fields: { model: "plain" }, path: "/v1/audio/translations" });
  expect(response.status).toBe(400);
  expect((await response.json()).error).toMatchObject({ code: "unsupported_model", param: "model" });
});

test("refuses a body that is not a form, or too large", async () => {
  const response = await gateway.post("/v1/audio/transcriptions", { model: "speech" });
  expect(response.status).toBe(415);
  expect((await ask(gateway.url, { blob: new Blob([new Uint8Array(1_000_001)]) })).status).toBe(413);
});

async function refusal(body: FormData | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, { method: "POST", body, headers });
  expect(response.status).toBe(400);
  return (await response.json()).error;
}
