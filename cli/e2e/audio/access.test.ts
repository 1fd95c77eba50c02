import { beforeAll, expect, test } from "vitest";
import { accessWith } from "../workers/keys-of.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { Stenographer } from "./stenographer.ts";

/** Keys, their scopes and their limits on the paths for speech. */
let gateway: OwnGateway;

beforeAll(async () => {
  const engines = { speech: new Stenographer("speech").engine, other: new Stenographer("other").engine };
  const access = await accessWith(["team"], { models: ["speech"], requests_per_minute: 3 });
  gateway = await startOwnGateway(engines, { access });
});

async function transcribe(key: string | undefined, model = "speech"): Promise<number> {
  const form = new FormData();
  form.set("model", model);
  form.set("file", new Blob(["ever tried"]), "a.wav");
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
    method: "POST",
    headers,
    body: form,
  });
  await response.body?.cancel();
  return response.status;
}

test("a key is required, and its models and its requests a minute are kept to", async () => {
  expect(await transcribe(undefined)).toBe(401);
  expect(await transcribe("other")).toBe(401);
  expect(await transcribe("team")).toBe(200);
  expect(await transcribe("team", "other")).toBe(403);
  expect(await transcribe("team")).toBe(200);
  expect(await transcribe("team")).toBe(429);
});
