import { afterEach, beforeEach, expect, test } from "vitest";
import { type StandIn, type StandInOptions, startSglang } from "#stand-ins";
import { PNG } from "../../../gateway/media/test-media.ts";
import { type Attached, ask, attach } from "../access/attached.ts";
import { enginesAreReady } from "./ready-engines.ts";

// SGLang's language engines ask their encoders themselves: the gateway only tells them which there are.

let opened: StandIn[];
let attached: Attached;
/** What the engines have done. */
let steps: string[][];

beforeEach(() => {
  [opened, steps] = [[], []];
});

afterEach(async () => {
  await attached.stator.stop();
  for (const each of opened) await each.close();
});

async function start(name: string, options: StandInOptions): Promise<StandIn> {
  const onWork: StandInOptions["onWork"] = ({ did, media }) => void steps.push([name, did, ...media]);
  const standIn = await startSglang({ takesMedia: true, onWork, ...options });
  opened.push(standIn);
  return standIn;
}

const listOf = async ({ url }: StandIn): Promise<string[]> =>
  (await (await fetch(`${url}/list_encoder_urls`)).json()).encoder_urls;

const nameOf = ({ url }: StandIn): string => new URL(url).host;

const look = () =>
  ask(`${attached.url}/v1/chat/completions`, {
    json: {
      model: "tiny",
      max_tokens: 4,
      messages: [
        {
          role: "user",
          content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }],
        },
      ],
    },
  });

test("language engines are told of the attached encoders, whether or not --encode names them", async () => {
  const [one, two] = [await start("one", { role: "encode" }), await start("two", { role: "encode" })];
  const language = await start("language", { languageOnly: true });
  attached = await attach([one.url, language.url], `--encode=${two.url}`);
  // Encoders have no model.
  await enginesAreReady(attached.url, 1);
  await expect.poll(() => listOf(language)).toHaveLength(2);
  expect(new Set(await listOf(language))).toEqual(new Set([one.url, two.url]));
  expect((await look()).status).toBe(200);
  expect(steps.map(([, ...did]) => did)).toEqual([
    ["encoded", "image"],
    ["answered", "embedding"],
  ]);
  expect(attached.stator.stdout).toContain("it is an encoder, and gets no requests from here");
  for (const encoder of [one, two])
    expect(encoder.requests.some((request) => request.includes("/v1/chat"))).toBe(false);
  // An encoder that is detached is taken back.
  await ask(`${attached.url}/admin/workers/${nameOf(one)}?now=true`, { method: "DELETE" });
  await expect.poll(() => listOf(language)).toEqual([two.url]);
});

test("a language engine that restarts is told again", async () => {
  const encoder = await start("encoder", { role: "encode" });
  const language = await start("language", { languageOnly: true });
  attached = await attach([encoder.url, language.url], "--health-interval=0.1");
  await expect.poll(() => listOf(language)).toEqual([encoder.url]);
  await language.close();
  await expect
    .poll(async () => (await fetch(`${attached.url}/health`)).status, { timeout: 10_000 })
    .not.toBe(200);
  const again = await start("again", { languageOnly: true, port: language.port });
  await expect.poll(() => listOf(again), { timeout: 10_000 }).toEqual([encoder.url]);
});

test("a whole server that is attached as an encoder gets no requests, which the table says", async () => {
  const whole = await start("whole", {});
  const engine = await start("engine", {});
  attached = await attach([engine.url], `--encode=${whole.url}`);
  await enginesAreReady(attached.url, 2);
  expect(attached.stator.stdout).toContain("engines of its kind encode media only for themselves");
  expect(attached.stator.stdout).toContain("--encoder-only");
  expect((await look()).status).toBe(200);
  expect(whole.requests).not.toContain("POST /v1/chat/completions");
});
