import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { metric } from "../../cli/e2e/metrics.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { becomesReady } from "./losses.suite.ts";
import { chat, MediaRequests, text } from "./media-requests.ts";
import { ask, attach, eventually, metricOf, prefills } from "./setup.ts";
import { VllmServer, writeMediaFiles, writeMediaModel } from "./vllm-server.ts";

const files = temporaryFolder();
const folder = temporaryFolder();
const media = new MediaRequests(files);

const question = (name: string, prompt = "Look at this.") =>
  chat(text(`${prompt} `.repeat(12)), media.part(name), text("What is it?"));

/** Requests, each with a medium that no other one has. */
const REQUESTS: Record<string, () => object> = {
  "an image": () => question("one.png"),
  "a photo": () => question("turned.jpg"),
  "a grey image": () => question("grey.png"),
  "two images": () =>
    chat(text("Compare "), media.part("two.png"), text(" and "), media.part("wide.jpg"), text(".")),
  audio: () => question("one.wav"),
  "a video": () => question("one.mp4"),
};

/** What one engine answers that does everything. */
const expected = new Map<string, Answer>();
let encoder: VllmServer;
let others: VllmServer[] = [];
let url: string;

interface Answer {
  readonly message: object;
  readonly logprobs: readonly number[];
}

/** The answer and its log probabilities, which tell media apart. */
async function answer(to: string, body: object): Promise<Answer> {
  const asked = await ask(to, "/v1/chat/completions", { ...body, max_tokens: 4, logprobs: true });
  expect(asked.status, JSON.stringify(asked.json)).toBe(200);
  const { choices } = asked.json as {
    choices: { message: object; logprobs: { content: { logprob: number }[] } }[];
  };
  const { message, logprobs } = choices[0]!;
  return { message, logprobs: logprobs.content.map(({ logprob }) => Number(logprob.toFixed(3))) };
}

const encodes = (place: string) => metric(url, "stator_encodes_total", { place });
/** How many requests the encoder has answered. */
const encoded = () => metricOf(encoder, "vllm:request_success_total");

beforeAll(async () => {
  writeMediaFiles(files);
  writeMediaModel("omni", folder);
  await using alone = await VllmServer.start(folder, { takesMedia: true });
  for (const [what, build] of Object.entries(REQUESTS)) expected.set(what, await answer(alone.url, build()));
  const answers = [...expected.values()].map((each) => JSON.stringify(each));
  expect(new Set(answers).size).toBe(answers.length);
});

/** What the engines have printed, if a test fails. */
beforeEach(() =>
  onTestFailed(() => {
    for (const server of [encoder, ...others]) console.log(server?.url, server?.output.slice(-4000));
  }),
);

async function startAll(roles: ("prefill" | "decode" | undefined)[]): Promise<void> {
  const shared = temporaryFolder();
  const consumer = { role: "consumer", folder: shared } as const;
  [encoder, ...others] = await Promise.all([
    VllmServer.start(folder, { takesMedia: true, encoder: { role: "producer", folder: shared } }),
    ...roles.map((role) =>
      VllmServer.start(folder, {
        takesMedia: true,
        ...(role !== "decode" && { encoder: consumer }),
        ...(role && { role }),
      }),
    ),
  ]);
  const alone = others.filter((_, index) => roles[index] === undefined).map((server) => server.url);
  const flags = others.flatMap((server, index) => (roles[index] ? [`--${roles[index]}=${server.url}`] : []));
  // A server stands still while it loads what it needs for its first sound.
  const more = [
    "--health-timeout=60",
    "--remote-prefill-min-tokens=1",
    "--remote-prefill-min-share=0",
    "--remote-prefill-max-wait=100",
  ];
  ({ url } = await attach(alone, `--encode=${encoder!.url}`, ...flags, ...more));
  for (const server of [encoder!, ...others]) await becomesReady(url, new URL(server.url).host);
}

afterAll(async () => {
  await Promise.all([encoder, ...others].map((server) => server?.stop()));
});

function suite(): void {
  test.each(Object.keys(REQUESTS))("%s is encoded there, and the answer is the same", async (what) => {
    const [remote, there] = [await encodes("remote"), await encoded()];
    expect(await answer(url, REQUESTS[what]!())).toEqual(expected.get(what));
    expect(await encodes("remote")).toBeGreaterThan(remote);
    expect(await encoded()).toBe(there + 1);
    expect(await encodes("fallback")).toBe(0);
  });

  test("a medium is encoded once, however many requests have it, and at whatever time", async () => {
    const there = await encoded();
    const ask = (index: number) => answer(url, question("palette.png", `Look ${index}.`));
    await Promise.all([1, 2, 3, 4].map(ask));
    await Promise.all([5, 6].map(ask));
    expect(await encoded()).toBe(there + 1);
  });

  test("an answer whose prompt is cached needs no encoder", async () => {
    const body = question("clear.png");
    const first = await answer(url, body);
    const there = await encoded();
    expect(await answer(url, body)).toEqual(first);
    expect(await encoded()).toBe(there);
  });

  test("no request is lost when the encoder is killed", async () => {
    const names = [
      "print.jpg",
      "bitmap.bmp",
      "scan.tiff",
      "large.webp",
      "music.wav",
      "two.wav",
      "palette.gif",
    ];
    const all = names.map((name) => answer(url, question(name)));
    encoder.kill();
    await Promise.all(all);
    await eventually(
      async () => ((await encodes("fallback")) > 0 ? true : undefined),
      "media are encoded elsewhere",
    );
    expect(await answer(url, REQUESTS["a photo"]!())).toEqual(expected.get("a photo"));
  });
}

describe("an encode engine and one for all else", () => {
  beforeAll(() => startAll([undefined]));
  afterAll(() => Promise.all([encoder, ...others].map((server) => server.stop())));
  suite();
});

describe("encode, prefill and decode engines", () => {
  beforeAll(() => startAll(["prefill", "decode"]));
  suite();

  test("the prompts were computed by the prefill engine", async () => {
    expect(await prefills(url, "remote")).toBeGreaterThan(5);
  });

  test("no request is lost when the prefill engine is killed", async () => {
    const all = [1, 2, 3].map((index) => answer(url, question("one.png", `Again ${index}.`)));
    others[0]!.kill();
    await Promise.all(all);
    expect(await answer(url, REQUESTS["an image"]!())).toEqual(expected.get("an image"));
  });
});
