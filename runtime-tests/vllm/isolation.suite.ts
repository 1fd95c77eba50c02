import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bearer } from "../../cli/e2e/access/attached.ts";
import { keys } from "../../cli/e2e/access/key-file.ts";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { ask, attach, cachedTokens, eventually, freshText, type Setup } from "./setup.ts";
import { BLOCK_SIZE } from "./vllm-server.ts";

const PATH = "/v1/completions";

export function suiteOfIsolation(setup: Setup): void {
  describe("stator attach --isolate key", () => {
    let url: string;
    /** Of another gateway, which knows only from KV events what went through the first one. */
    let other: string;
    let admin: string;
    let ann: string;
    let ben: string;

    beforeAll(async () => {
      const [file, secret] = [join(setup.folder, "keys.yaml"), join(setup.folder, "secret")];
      writeFileSync(secret, randomBytes(32).toString("hex"));
      admin = await keys(file, "add", "ops", "--admin");
      ann = await keys(file, "add", "ann");
      ben = await keys(file, "add", "ben");
      const flags = [`--keys=${file}`, "--isolate=key", `--isolation-secret=${secret}`];
      const engines = setup.servers.map((server) => server.url);
      [{ url }, { url: other }] = await Promise.all([attach(engines, ...flags), attach(engines, ...flags)]);
    });

    test("passes stator doctor --isolation on every API", async () => {
      const args = [`--client-keys=${ann},${ben}`, "--isolation", "--timeout=60", "--config=none"];
      const doctor = new StatorProcess(["doctor", url, ...args]);
      const code = await doctor.ended();
      expect([code, doctor.stdout]).toEqual([0, expect.stringContaining("All is well")]);
      for (const api of ["chat", "completions", "messages", "responses"])
        expect(doctor.stdout).toMatch(new RegExp(`ok +${api}: .*reused [1-9]`));
    });

    test("finds a key's own blocks, in all events of an answer, and no other key's", async () => {
      // vLLM tells of it in the events of the next request.
      for (const server of setup.servers) await fetch(`${server.url}/reset_prefix_cache`, { method: "POST" });
      const body = { prompt: freshText(300), max_tokens: 100, temperature: 0, return_token_ids: true };
      const { json, engine } = await ask(url, PATH, { ...body, ignore_eos: true }, bearer(ann));
      const [choice] = json.choices as { prompt_token_ids: number[]; token_ids: number[] }[];
      const prompt = [...choice!.prompt_token_ids, ...choice!.token_ids];
      const whole = Math.floor((prompt.length - 1) / BLOCK_SIZE);
      await eventually(async () => {
        const blocks = await storedBlocks(other, engine!, admin);
        return blocks === whole || blocks === whole + 1 ? true : undefined;
      }, "its events have arrived");

      const next = { prompt, max_tokens: 1, temperature: 0 };
      const theirs = await ask(other, PATH, next, bearer(ben));
      expect([theirs.overlapTokens, cachedTokens(theirs)]).toEqual([0, 0]);
      const own = await ask(other, PATH, next, bearer(ann));
      expect([own.overlapTokens, cachedTokens(own)]).toEqual([whole * BLOCK_SIZE, whole * BLOCK_SIZE]);
    });
  });
}

/** How many of an engine's blocks a gateway has in its index. */
async function storedBlocks(url: string, engine: string, admin: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: bearer(admin) })).text();
  const line = text
    .split("\n")
    .find((each) => each.startsWith("stator_worker_stored_blocks{") && each.includes(`"${engine}"`));
  return Number(line?.slice(line.lastIndexOf(" ")));
}
