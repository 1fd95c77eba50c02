import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attach } from "../../cli/e2e/access/attached.ts";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { startOwnGateway } from "../../cli/e2e/workers/own-gateway.ts";
import { Seer } from "../../cli/e2e/workers/seer.ts";
import { PNG, wav } from "../../gateway/media/test-media.ts";
import { type StandIn, startVllm } from "../../stand-ins/index.ts";
import { Tap } from "./tap.ts";

// Clients in other languages, whose JSON is spelt unlike JavaScript's, with pictures and sounds.

const run = promisify(execFile);
const OUTPUT = { maxBuffer: 100_000_000 };
/** The Go that OpenAI's client needs. */
const GO = /go1\.(2[6-9]|[3-9]\d)/.test(spawnSync("go", ["version"], { encoding: "utf8" }).stdout ?? "");
if (!GO) console.warn("The Go client is not tested: that needs Go 1.26 or newer.");

const BODY_LIMIT = 26 * 1024 * 1024;
const size = (base64: string) => Buffer.from(base64, "base64").length;

let folder: string;
let engine: StandIn;
let tap: Tap;
let stator: StatorProcess;
let attached: string;
let own: string;
const seer = new Seer("tiny");
/** Ten megabytes: decoders ignore what is behind a picture. */
const LARGE = Buffer.concat([Buffer.from(PNG, "base64"), Buffer.alloc(7_500_000, "stator+/")]).toString(
  "base64",
);
const SOUND = wav(1_000_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-media-"));
  for (const [name, base64] of [
    ["large.png", LARGE],
    ["small.png", PNG],
    ["sound.wav", SOUND],
  ] as const)
    await writeFile(join(folder, name), Buffer.from(base64, "base64"));
  engine = await startVllm({ takesMedia: true });
  tap = await Tap.start(engine.url);
  ({ stator, url: attached } = await attach([tap.url]));
  own = (await startOwnGateway({ seer }, { bodyLimit: BODY_LIMIT })).url;
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await tap[Symbol.asyncDispose]();
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

const file = (name: string) => join(folder, name);

/** The bodies that the engine got meanwhile, and what the client printed. */
async function watched(command: string, args: readonly string[]) {
  const before = tap.bodies.length;
  const { stdout } = await run(command, args, OUTPUT);
  return { printed: JSON.parse(stdout), bodies: tap.bodies.slice(before) };
}

describe.skipIf(!GO)("OpenAI's Go client, and net/http in chunks", () => {
  const REFUSAL = { status: 400, code: "invalid_media", param: "messages[0].content[0].image_url" };
  let program: string;

  beforeAll(async () => {
    program = file("client");
    await run("go", ["build", "-o", program, "."], { cwd: join(import.meta.dirname, "go") });
  }, 900_000);

  test("have answers by workers", async () => {
    const { stdout } = await run(program, [own, "tiny", file("large.png"), file("sound.wav")], OUTPUT);
    const picture = `[image image/png ${size(LARGE)}]`;
    const chat = `u:Compare <these> & "those":\n${picture}\n[audio audio/wav ${size(SOUND)}];`;
    expect(JSON.parse(stdout)).toEqual({ chat, stream: chat, chunked: `u:${picture};`, refusal: REFUSAL });
    for (const { media = [] } of seer.requests)
      for (const { kind, data } of media)
        expect(Buffer.from(data).toString("base64") === (kind === "audio" ? SOUND : LARGE)).toBe(true);
  });

  test("have answers by engines, which get their media as they are", async () => {
    const args = [attached, "tiny", file("large.png"), file("sound.wav")];
    const { printed, bodies } = await watched(program, args);
    expect(printed.refusal).toEqual(REFUSAL);
    expect(bodies.map((body) => [body.includes(LARGE), body.includes(SOUND)])).toEqual([
      [true, true],
      [true, true],
      [true, false],
    ]);
  });
});

interface PerlAnswer {
  readonly status: number;
  readonly body: {
    readonly choices?: readonly { readonly message: { readonly content: string } }[];
    readonly error?: { readonly code: string };
  };
}

describe("Perl's own HTTP client and JSON writer", () => {
  const script = join(import.meta.dirname, "perl_client.pl");
  const spelt = ["slashes", "ascii", "escaped", "key", "twice", "partTwice", "mark", "spaces"];
  const outcomes = (answers: Readonly<Record<string, PerlAnswer>>) =>
    Object.fromEntries(
      Object.entries(answers).map(([how, { status, body }]) => [
        how,
        body.error?.code ?? body.choices?.[0]?.message.content ?? status,
      ]),
    );

  test.each([
    ["small.png", PNG, {}],
    // Escaped, it is six times as long, and refused while the client sends it.
    ["large.png", LARGE, { escaped: "body_too_large" }],
  ])("have %s arrive at workers, however its JSON is spelt", async (name, base64, others) => {
    const { stdout } = await run("perl", [script, own, "tiny", file(name)], OUTPUT);
    const seen = `u:[image image/png ${size(base64)}]\n🐈 é?;`;
    expect(outcomes(JSON.parse(stdout))).toEqual({
      ...Object.fromEntries(spelt.map((how) => [how, seen])),
      // Of two equal keys the last one counts, as for engines.
      otherwise: "invalid_media",
      ...others,
    });
  });

  test("have pictures arrive at engines, however their JSON is spelt", async () => {
    const { printed, bodies } = await watched("perl", [script, attached, "tiny", file("small.png")]);
    expect(outcomes(printed)).toMatchObject({ otherwise: "invalid_media" });
    expect(bodies).toHaveLength(spelt.length);
    for (const body of bodies) {
      expect(body.toString().split(`"data:image/png;base64,${PNG}"`)).toHaveLength(2);
      expect(body.includes('AAAA"')).toBe(false);
      expect(body.includes("passwd")).toBe(false);
    }
  });
});
