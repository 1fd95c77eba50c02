import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { attach } from "../../cli/e2e/access/attached.ts";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { startOwnGateway } from "../../cli/e2e/workers/own-gateway.ts";
import { Seer } from "../../cli/e2e/workers/seer.ts";
import { PNG } from "../../gateway/media/test-media.ts";
import { type StandIn, startVllm } from "../../stand-ins/index.ts";
import { Tap } from "./tap.ts";

// Python clients that send pictures: in the request, by their URL, several of them, in streams.

/** LiteLLM would otherwise download its prices first. */
const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: "True" };
const run = (command: string, args: readonly string[]) => promisify(execFile)(command, args, { env });
const python = join(import.meta.dirname, "python", ".venv", "bin", "python");
const script = join(import.meta.dirname, "media_clients.py");

let folder: string;
let file: string;
let web: Server;
let link: string;
let engine: StandIn;
let tap: Tap;
let stator: StatorProcess;
let attached: string;
let own: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-media-"));
  file = join(folder, "cat.png");
  await writeFile(file, Buffer.from(PNG, "base64"));
  web = createServer((_, response) => void response.end(Buffer.from(PNG, "base64")));
  await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
  link = `http://127.0.0.1:${(web.address() as AddressInfo).port}/cat.png`;
  engine = await startVllm({ takesMedia: true });
  tap = await Tap.start(engine.url);
  ({ stator, url: attached } = await attach([tap.url], "--media-domains=127.0.0.1", "--translate=always"));
  const access = { media: { fetches: true, domains: ["127.0.0.1"] } };
  own = (await startOwnGateway({ seer: new Seer("tiny") }, { access })).url;
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await tap[Symbol.asyncDispose]();
  await engine.close();
  web.closeAllConnections();
  web.close();
  await rm(folder, { recursive: true, force: true });
});

const REFUSALS = [
  [400, expect.stringContaining("messages[0].content[0].image_url")],
  [400, expect.stringContaining("it is not an image")],
  [400, expect.stringContaining("messages[0].content[0]")],
];

test("workers get all of them", async () => {
  const { stdout } = await run(python, [script, own, "tiny", file, link]);
  const picture = `[image image/png ${Buffer.from(PNG, "base64").length}]`;
  const one = `u:${picture}\nWhat?;`;
  expect(JSON.parse(stdout)).toEqual({
    several: `u:${picture}\n${picture}\nWhat?;`,
    stream: one,
    fetched: one,
    response: `u:${picture};`,
    message: `u:${picture}\n${picture};`,
    messageStream: `u:${picture};`,
    litellm: one,
    litellmStream: one,
    refusals: REFUSALS,
  });
});

test("engines get all of them, and no URL to fetch", async () => {
  const { stdout } = await run(python, [script, attached, "tiny", file, link]);
  const { refusals, ...answers } = JSON.parse(stdout);
  expect(refusals).toEqual(REFUSALS);
  expect(Object.values(answers)).not.toContain("");
  const pictures = tap.bodies.map(
    (body) => body.toString().split(`"data:image/png;base64,${PNG}"`).length - 1,
  );
  expect(pictures.toSorted()).toEqual([1, 1, 1, 1, 1, 1, 2, 2]);
  for (const body of tap.bodies) expect(body.includes("http://")).toBe(false);
});
