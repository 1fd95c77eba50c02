import { beforeEach, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { ENCODER_PROFILE } from "../../engines/encoding/sglang.ts";
import { createEngineApi } from "../../engines/index.ts";
import type { EngineState } from "../members/engine-watch.ts";
import { AnnouncedEncoders, type AnnouncedEngine } from "./announced-encoders.ts";

/** What language engines answer when they are told of an encoder. */
let status: number;
/** Of which encoders they were told, and which were taken back. */
let asked: string[];
let logged: string[];
let announced: AnnouncedEncoders;

const adapter: AnnouncedEngine["adapter"] = {
  encoderRegistry: {
    register: async (_api, url) => {
      asked.push(url);
      return status;
    },
    unregister: async (_api, url) => {
      asked.push(`-${url}`);
      return 200;
    },
  },
};
const encoder = (state: EngineState, url = "http://e"): AnnouncedEngine => ({
  ...{ name: url, state, spec: { url }, profile: ENCODER_PROFILE, adapter },
});
const language = (state: EngineState): AnnouncedEngine => ({
  ...{ name: "language", state, spec: { url: "http://l" }, adapter },
  profile: { ...ENCODER_PROFILE, role: undefined, encoderRegistry: "http://l:8997" },
});
const members = [{ model: { name: "big" } }];
/** Until what was asked has been answered. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const healthy = async () => {
  announced.onHealthy(language("ready"));
  await settled();
};

beforeEach(() => {
  [status, asked, logged] = [200, [], []];
  const write = (line: string) => void logged.push(line);
  const log = createLogger({ name: "test", format: "json", write });
  announced = new AnnouncedEncoders({ createApi: ({ url }) => createEngineApi(url), log });
});

test("a language engine is told of each encoder once", async () => {
  announced.onEngine(language("ready"), members);
  announced.onEngine(encoder("ready"), []);
  announced.onEngine(encoder("ready", "http://f"), []);
  await settled();
  await healthy();
  expect(asked).toEqual(["http://e", "http://f"]);
});

test("one that cannot be told is told after its health checks, which is logged once", async () => {
  status = 503;
  announced.onEngine(encoder("ready"), []);
  announced.onEngine(language("ready"), members);
  await settled();
  for (let time = 0; time < 3; time++) await healthy();
  status = 200;
  for (let time = 0; time < 3; time++) await healthy();
  expect(asked).toHaveLength(5);
  expect(logged.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", engine: "language", encoder: "http://e", reason: "It answered with status 503." },
    { level: "info", message: "a language engine was told of an encode engine" },
  ]);
});

test("one that cannot be told is not told of an encoder that has left meanwhile", async () => {
  status = 503;
  announced.onEngine(encoder("ready"), []);
  announced.onEngine(language("ready"), members);
  await settled();
  announced.onEngine(encoder("gone"), []);
  await healthy();
  expect(asked).toEqual(["http://e"]);
});
