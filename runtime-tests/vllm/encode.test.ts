import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { answerTo, ChatStream } from "./chat-answers.ts";
import { EncodingEngines } from "./encoding-engines.ts";
import { expectSame, type Said } from "./greedy.ts";
import { chat, MediaRequests, text } from "./media-requests.ts";
import { eventually, prefills } from "./setup.ts";
import { VllmServer, writeMediaFiles, writeMediaModel } from "./vllm-server.ts";
import { wordsOnly } from "./words.ts";

// Real vLLM servers that encode media for others, with weights that tell: an answer from another medium differs.

/** Long enough for an engine to be killed meanwhile. */
const STREAM_TOKENS = 150;

const files = temporaryFolder();
const media = new MediaRequests(files);

const question = (name: string, prompt = "Look at this.", more: object = {}) => ({
  ...chat(text(`${prompt} `.repeat(12)), media.part(name), text("What is it?")),
  max_tokens: 4,
  ...more,
});

/** Requests, each with media that no other one has. */
const REQUESTS: Record<string, { media: number; body: () => object }> = {
  "an image": { media: 1, body: () => question("one.png") },
  "a photo": { media: 1, body: () => question("turned.jpg") },
  "a grey image": { media: 1, body: () => question("grey.png") },
  "two images": {
    media: 2,
    body: () => ({
      ...chat(text("Compare "), media.part("two.png"), text(" and "), media.part("wide.jpg"), text(".")),
      max_tokens: 4,
    }),
  },
  audio: { media: 1, body: () => question("one.wav") },
  "a video": { media: 1, body: () => question("one.mp4") },
};

const bodyOf = (what: string) => REQUESTS[what]!.body();
const OTHER_FILES = [
  "print.jpg",
  "bitmap.bmp",
  "scan.tiff",
  "large.webp",
  "music.wav",
  "two.wav",
  "palette.gif",
];
/** Requests that are on their way when the encoder is killed, and when another engine is. */
const forOthers = () => OTHER_FILES.map((name) => question(name));
const again = (when: string) => [1, 2, 3].map((index) => question("one.png", `${when} ${index}.`));
/** Streams that are read when a decode engine is killed. */
const streams = (words: object) =>
  ["one.png", "two.png", "wide.jpg", "grey.png", "bitmap.bmp", "one.mp4"].map((name) =>
    question(name, "Tell me of this.", { max_tokens: STREAM_TOKENS, ignore_eos: true, ...words }),
  );

/** What one engine answers that does everything. */
class Expected {
  readonly #answers = new Map<string, Said>();

  async ask(url: string, bodies: readonly object[]): Promise<void> {
    const answers = await Promise.all(bodies.map((body) => answerTo(url, body)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(bodies.length);
    for (const [index, body] of bodies.entries()) this.#answers.set(JSON.stringify(body), answers[index]!);
  }

  of(body: object): Said {
    return this.#answers.get(JSON.stringify(body))!;
  }
}

describe.each([
  { kind: "omni", asked: Object.keys(REQUESTS), isKilled: true },
  { kind: "qwen2vl", asked: ["an image", "two images", "a video"], isKilled: false },
] as const)("$kind", ({ kind, asked, isKilled }) => {
  const folder = temporaryFolder();
  const expected = new Expected();
  let words: object;

  beforeAll(async () => {
    writeMediaFiles(files);
    writeMediaModel(kind, folder);
    await using alone = await VllmServer.start(folder, { takesMedia: true });
    words = await wordsOnly(alone.url);
    const underKills = isKilled
      ? [...forOthers(), ...again("While decoding"), ...again("While prefilling"), ...streams(words)]
      : [];
    await expected.ask(alone.url, [...asked.map(bodyOf), ...underKills]);
  });

  describe.each([
    { what: "an encode engine and one for all else", roles: [undefined] },
    {
      what: "encode, prefill and decode engines",
      roles: ["prefill", "decode", ...(isKilled ? (["decode"] as const) : [])],
    },
  ] as const)("$what", ({ roles }) => {
    let engines: EncodingEngines;
    const isAnswered = async (body: object) =>
      expectSame(await answerTo(engines.url, body), expected.of(body));

    beforeAll(async () => {
      engines = await EncodingEngines.start(folder, roles);
    });
    afterAll(() => engines?.[Symbol.asyncDispose]());
    beforeEach(() => onTestFailed(() => console.log(engines.output)));

    test.each(asked)("%s is encoded there, and the answer is the same", async (what) => {
      const [remote, there] = [await engines.encodes("remote"), await engines.encoded()];
      await isAnswered(bodyOf(what));
      expect(await engines.encodes("remote")).toBe(remote + REQUESTS[what]!.media);
      expect(await engines.encoded()).toBe(there + REQUESTS[what]!.media);
      expect(await engines.encodes("fallback")).toBe(0);
    });

    test("a medium is encoded once, however many requests have it, and at whatever time", async () => {
      const there = await engines.encoded();
      const ask = (index: number) => answerTo(engines.url, question("palette.png", `Look ${index}.`));
      await Promise.all([1, 2, 3, 4].map(ask));
      await Promise.all([5, 6].map(ask));
      expect(await engines.encoded()).toBe(there + 1);
    });

    test("an answer whose prompt is cached needs no encoder", async () => {
      const body = question("clear.png");
      const first = await answerTo(engines.url, body);
      const there = await engines.encoded();
      expectSame(await answerTo(engines.url, body), first);
      expect(await engines.encoded()).toBe(there);
    });

    if (roles.length > 1)
      test("the prompts were computed by the prefill engine", async () => {
        expect(await prefills(engines.url, "remote")).toBeGreaterThan(asked.length);
      });

    if (isKilled && roles.length > 1)
      test("no answer is lost, or another, when a decode engine is killed under load", async () => {
        const bodies = streams(words);
        const open = await Promise.all(bodies.map((body) => ChatStream.open(engines.url, body)));
        // The others wait for an encoder, are computed, or decode meanwhile.
        const first = await Promise.race(open.map((stream) => stream.hasBegun.then(() => stream)));
        const victim = engines.of("decode").find(({ url }) => new URL(url).host === first.engine);
        expect(first.isDone).toBe(false);
        victim!.kill();
        await Promise.all(again("While decoding").map(isAnswered));
        for (const [index, stream] of open.entries())
          expectSame(await stream.answer, expected.of(bodies[index]!));
      });

    if (isKilled)
      test("no request is lost when the encoder is killed", async () => {
        const all = forOthers().map(isAnswered);
        engines.encoder.kill();
        await Promise.all(all);
        await eventually(
          async () => ((await engines.encodes("fallback")) > 0 ? true : undefined),
          "media are encoded elsewhere",
        );
        await isAnswered(bodyOf("a photo"));
      });

    if (isKilled && roles.length > 1)
      test("no request is lost when the prefill engine is killed", async () => {
        const all = again("While prefilling").map(isAnswered);
        engines.of("prefill")[0]!.kill();
        await Promise.all(all);
        await isAnswered(bodyOf("an image"));
      });
  });
});
