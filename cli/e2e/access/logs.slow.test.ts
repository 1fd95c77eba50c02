import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import type { StatorProcess } from "../stator-process.ts";
import { type Asked, ask, attach, bearer, chat } from "./attached.ts";
import { keys } from "./key-file.ts";

let engine: StandInProcess;

beforeAll(async () => {
  engine = await StandInProcess.start("vllm", "--api-key=engine-secret");
});

const PROMPT = "a prompt for one reader";

test.each(["text", "json"])(
  "at the level debug, no key, prompt or answer is in the log as %s, nor in an error",
  async (format) => {
    const file = join(temporaryFolder(), "keys.yaml");
    const key = await keys(file, "add", "team", "--admin");
    const flags = [
      `--keys=${file}`,
      "--engine-key=engine-secret",
      "--log-level=debug",
      `--log-format=${format}`,
    ];
    const { stator, url } = await attach([engine.url], ...flags);
    const messages = [{ role: "user", content: PROMPT }];
    const answers: Asked[] = [];
    const send = async (path: string, json: object, headers: HeadersInit = bearer(key)) =>
      answers.push(
        await ask(url + path, { json, headers: { "x-forwarded-for": "203.0.113.9", ...headers } }),
      );

    await send("/v1/chat/completions", chat({ messages }));
    await send("/v1/chat/completions", chat({ messages, stream: true }));
    await send("/v1/completions", { model: "tiny", prompt: PROMPT, max_tokens: 2 });
    await send("/v1/messages", { model: "tiny", max_tokens: 2, messages }, { "x-api-key": key });
    await send("/v1/chat/completions", chat({ messages, stator: { worker: "no-such" } }));
    await send("/v1/chat/completions", chat({ messages }), bearer("sk-stator-a-wrong-key"));
    await send("/admin/workers", { url: "http://127.0.0.1:1", name: "down", api_key: "another-secret" });
    const answered = JSON.stringify(answers[0]!.body);
    await failByEngine(() => send("/v1/chat/completions", chat({ messages })));
    await stator.stop();

    const output = stator.stdout + stator.stderr;
    expect(output).toContain("chosen");
    const secrets = [key, "sk-stator-a-wrong-key", "engine-secret", "another-secret", PROMPT, "203.0.113.9"];
    for (const secret of secrets) expect(output).not.toContain(secret);
    const text = /"content":"([^"]{4,})"/.exec(answered)?.[1];
    expect(output).not.toContain(text);
    const errors = answers.filter(({ status }) => status >= 400).map(({ body }) => JSON.stringify(body));
    expect(errors.length).toBeGreaterThanOrEqual(2);
    for (const secret of secrets.filter((each) => each !== PROMPT)) {
      for (const error of errors) expect(error).not.toContain(secret);
    }
    // Not even client addresses.
    expect(clientPorts(stator, url)).toEqual([]);
  },
);

async function failByEngine(send: () => Promise<unknown>): Promise<void> {
  await engine.faults({ garbageHttp: true });
  await send();
  await engine.faults({});
}

/** Addresses on this machine in the log other than the gateway's and the engine's. */
function clientPorts({ stdout, stderr }: StatorProcess, url: string): string[] {
  const known = [new URL(url).host, engine.name, "127.0.0.1:1"];
  return (stdout + stderr).match(/127\.0\.0\.1:\d+/g)!.filter((found) => !known.includes(found));
}
