import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";
import { ask, attach, bearer, chat } from "./attached.ts";
import { keys } from "./key-file.ts";
import { rawRequest } from "./raw.ts";

let engine: StandInProcess;
let other: StandInProcess;
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  [engine, other] = await Promise.all([
    StandInProcess.start("vllm", "--api-key=engine-secret"),
    StandInProcess.start("vllm", "--model=secret-model"),
  ]);
});

const start = async (...flags: string[]) => {
  ({ stator, url } = await attach([engine.url], "--engine-key=engine-secret", ...flags));
};

/** Creates a key file. @returns the flag, and the keys by id */
async function makeKeys(add: Record<string, string[]>) {
  const file = join(temporaryFolder(), "keys.yaml");
  const made: Record<string, string> = {};
  for (const [id, args] of Object.entries(add)) made[id] = await keys(file, "add", id, ...args);
  return { file, flag: `--keys=${file}`, made };
}

const asked = (key: string | undefined, json: object = chat()) =>
  ask(`${url}/v1/chat/completions`, { json, ...(key !== undefined && { headers: bearer(key) }) });

describe("keys", () => {
  let file: string;
  let made: Record<string, string>;

  beforeAll(async () => {
    const all = await makeKeys({
      team: [],
      ops: ["--admin"],
      old: ["--expires=2020-01-01"],
      some: ["--models=ti*"],
      none: ["--models=other"],
      few: ["--requests-per-minute=2"],
      short: ["--tokens-per-minute=200"],
    });
    ({ file, made } = all);
    await start(all.flag);
  });

  afterAll(() => stator.stop());

  test("are required on every route but /health and /live, which then show no names", async () => {
    for (const path of [
      "/v1/models",
      "/v1/chat/completions",
      "/metrics",
      "/docs",
      "/v1/router/decisions",
      "/",
    ]) {
      const { status, body, headers } = await ask(url + path);
      expect([path, status, body.error?.code]).toEqual([path, 401, "invalid_api_key"]);
      expect(headers.get("www-authenticate")).toBe("Bearer");
    }
    expect((await ask(`${url}/live`)).status).toBe(200);
    expect((await ask(`${url}/health`)).body).toEqual({
      status: "ready",
      models: [{ status: "ready", workers: [{ kind: "engine", status: "ready" }] }],
    });
    const known = await ask(`${url}/health`, { headers: bearer(made.team!) });
    expect(known.body).toMatchObject({ models: [{ name: "tiny", workers: [{ name: engine.name }] }] });

    for (const path of ["/metrics", "/v1/router/decisions", "/admin/workers"]) {
      const refused = await ask(url + path, { headers: bearer(made.team!) });
      expect([path, refused.status, refused.body.error?.code]).toEqual([path, 403, "admin_key_required"]);
      expect((await ask(url + path, { headers: bearer(made.ops!) })).status).toBe(200);
    }
    expect((await ask(`${url}/docs`, { headers: bearer(made.team!) })).status).toBe(200);
  });

  test("are accepted in either header, and never reach an engine", async () => {
    const { team } = made;
    // The stand-in refuses every key but its own.
    expect((await asked(team)).status).toBe(200);
    const anthropic = await ask(`${url}/v1/chat/completions`, {
      json: chat(),
      headers: { "x-api-key": team! },
    });
    expect(anthropic.status).toBe(200);
    const { status, body } = await asked(`${team}x`);
    expect([status, body.error?.code]).toEqual([401, "invalid_api_key"]);
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await expect(openai.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });

  test("are refused after they expire", async () => {
    const later = await keys(file, "add", "new", "--expires=2999-01-01");
    await stator.printed(/keys reloaded/);
    expect([(await asked(made.old)).status, (await asked(later)).status]).toEqual([401, 200]);
  });

  test("see and use only the models of their scope", async () => {
    await ask(`${url}/admin/workers`, { json: { url: other.url }, headers: bearer(made.ops!) });
    const listed = async (key: string) => (await ask(`${url}/v1/models`, { headers: bearer(key) })).body.data;
    expect(await listed(made.ops!)).toMatchObject([{ id: "tiny" }, { id: "secret-model" }]);
    expect(await listed(made.some!)).toMatchObject([{ id: "tiny" }]);
    expect(await listed(made.none!)).toEqual([]);

    expect((await asked(made.some)).status).toBe(200);
    const refused = await asked(made.some, chat({ model: "secret-model" }));
    expect([refused.status, refused.body.error?.code]).toEqual([403, "model_not_allowed"]);
    const unknown = await asked(made.none, chat({ model: "secret-mode" }));
    expect(unknown.status).toBe(404);
    expect(JSON.stringify(unknown.body)).not.toContain("secret-model'");
    const other_route = await ask(`${url}/v1/models/secret-model`, { headers: bearer(made.some!) });
    expect(other_route.status).toBe(403);
    const embedded = await ask(`${url}/v1/rerank`, {
      json: { model: "secret-model", query: "a", documents: ["b"] },
      headers: bearer(made.some!),
    });
    expect(embedded.status).toBe(403);
  });

  test("can change an engine for all clients only with admin scope", async () => {
    const { team } = made;
    const { status, body } = await ask(`${url}/v1/load_lora_adapter`, {
      json: { lora_name: "mine", lora_path: "/tmp/mine" },
      headers: bearer(team!),
    });
    expect([status, body.error?.code]).toEqual([403, "admin_key_required"]);
  });

  test("are limited in requests and tokens per minute", async () => {
    const first = await asked(made.few);
    expect(first.status).toBe(200);
    expect(first.headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("1");
    expect(first.headers.get("x-ratelimit-reset-requests")).toMatch(/^\d+(\.\d)?s$/);
    await asked(made.few);
    const third = await asked(made.few);
    expect([third.status, third.body.error?.code]).toEqual([429, "rate_limit_exceeded"]);
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0);

    // 150 tokens are booked, and only those used stay booked: about 60 of 200.
    const used = await asked(made.short, chat({ max_tokens: 50 }));
    const before = Number(used.headers.get("x-ratelimit-remaining-tokens"));
    expect(before).toBeLessThan(150);
    await asked(made.short, chat({ max_tokens: 50 }));
    const full = await asked(made.short, chat({ max_tokens: 150 }));
    expect([full.status, full.body.error?.code]).toEqual([429, "rate_limit_exceeded"]);
    expect(full.body.error?.message).toContain("tokens per minute");
    expect((await asked(made.short, chat({ max_tokens: 1 }))).status).toBe(200);
  });

  test("are rotated, revoked and repaired without a restart", async () => {
    const { team } = made;
    const begin = stator.stderr.length;
    const readAgain = (times: number) =>
      until(async () => (stator.stderr.slice(begin).match(/keys reloaded/g)?.length ?? 0) >= times);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const next = await keys(file, "rotate", "team", "--grace=600");
    await readAgain(1);
    expect([(await asked(team)).status, (await asked(next)).status]).toEqual([200, 200]);

    const last = await keys(file, "rotate", "team");
    await readAgain(2);
    expect([(await asked(team)).status, (await asked(next)).status, (await asked(last)).status]).toEqual([
      401, 401, 200,
    ]);

    await writeFile(file, "keys:\n  - id: team\n    hash: plain-text-key\n");
    await stator.printed(/unusable; keeping the previous keys.*key 'team': hash must be sha256/);
    expect(stator.stderr).not.toContain("plain-text-key");
    expect((await asked(last)).status).toBe(200);
  });
});

describe("without keys", () => {
  afterEach(() => stator.stop());

  test("loopback is open, and a client's own key does not replace the engine's key", async () => {
    await start();
    expect((await ask(`${url}/v1/models`)).status).toBe(200);
    expect((await asked("client-key")).status).toBe(200);
    // But a web page cannot reach /admin under its own host name.
    const raw = await rawRequest(url, "GET /admin/workers HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    expect(raw).toMatch(/^HTTP\/1.1 403 [\s\S]*host_not_allowed/);
  });

  test("other machines are admitted only with --open", async () => {
    await start("--host=0.0.0.0", "--open");
    expect((await ask(`${url}/v1/models`)).status).toBe(200);
    expect((await ask(`${url}/admin/workers`)).status).toBe(404);
    const closed = new StatorProcess(["attach", engine.url, "--port=0", "--config=none", "--host=0.0.0.0"]);
    expect(await closed.ended()).toBe(2);
    expect(closed.stderr).toContain("stator keys add NAME --keys keys.yaml");
    expect(closed.stderr).toContain("--open");
  });
});

const ADMIN_ROUTES = ["/admin/workers", "/metrics", "/v1/router/decisions", "/v1/router/thresholds"];

describe("a separate port for /admin", () => {
  afterEach(() => stator.stop());

  test.each([
    ["one process", []],
    ["two processes", ["--processes=2"]],
  ])("without keys has the routes that the API's port then lacks, in %s", async (_what, processes) => {
    await start("--admin-port=0", ...processes);
    const [, admin] = await stator.printed(/Inspect it: .* (http:\S+)\/metrics/);
    expect(admin).not.toBe(url);
    for (const route of ADMIN_ROUTES) {
      expect((await ask(`${admin}${route}`)).status).toBe(200);
      expect((await ask(`${url}${route}`)).status).toBe(404);
    }
    for (const route of ["/health", "/live", "/docs", "/v1/models"])
      expect((await ask(`${url}${route}`)).status).toBe(200);
  });

  test("needs no key on loopback, and the API's port lacks the admin routes", async () => {
    const { flag, made } = await makeKeys({ team: [] });
    await start(flag, "--admin-port=0");
    const [, admin] = await stator.printed(/admin routes listen.*url=(\S+)/);
    expect((await ask(`${admin}/admin/workers`)).status).toBe(200);
    expect((await ask(`${admin}/metrics`)).status).toBe(200);
    expect((await ask(`${admin}/v1/models`)).status).toBe(404);
    expect((await ask(`${url}/admin/workers`, { headers: bearer(made.team!) })).status).toBe(403);
  });
});
