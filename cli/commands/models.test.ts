import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import {
  COMMIT,
  content,
  type HubStandIn,
  serveFromHub,
  sha256,
  startHub,
  untilOnDisk,
} from "../models/testing/hub.ts";
import { commandHelp } from "./help.ts";
import { modelsCommand } from "./models.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

let hub: HubStandIn;
let folder: string;
let printed: string;
let told: string;

beforeEach(async () => {
  folder = mkdtempSync(join(temporaryFolder(), "models-"));
  hub = await startHub(serveFromHub());
  told = "";
  vi.spyOn(console, "log").mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    told += text;
    return true;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await hub.close();
});

/** Fetches a model in a process of its own. */
const startFetch = (name: string): ChildProcess =>
  spawn(process.execPath, [main, "models", "fetch", name, `--model-folder=${folder}`, "--config=none"], {
    stdio: "ignore",
  });

/** Runs `stator models …` in the folder. */
async function models(...words: string[]) {
  printed = "";
  const exitCode = await modelsCommand.run([...words, `--model-folder=${folder}`, "--config=none"]);
  return { exitCode, printed };
}
const modelsJson = async (...words: string[]) => JSON.parse((await models(...words, "--json")).printed);
const fileOf = (part: string) => join(folder, readdirSync(folder).find((name) => name.endsWith(part))!);

describe("stator models", () => {
  test("lists the catalogue, what is on this machine, and other files in the folder", async () => {
    await models("fetch", "qwen3:0.6b");
    writeFileSync(join(folder, "own.gguf"), content);
    for (const words of [[], ["list"]]) {
      const { printed: text, exitCode } = await models(...words);
      expect(exitCode).toBe(0);
      expect(text).toMatch(/^qwen3:0.6b +639 MB +2.8 GB +32,768 +yes +yes +Apache-2.0 +yes$/m);
      expect(text).toMatch(/^qwen3:4b \* .* Apache-2.0$/m);
      expect(text).toMatch(/^own.gguf +300 kB$/m);
    }
  });

  test("prints the same as JSON", async () => {
    await models("fetch", "qwen3:0.6b");
    writeFileSync(join(folder, "own.gguf"), content);
    const list = await modelsJson();
    expect(list.models.find(({ name }: { name: string }) => name === "qwen3:0.6b")).toMatchObject({
      licence: "Apache-2.0",
      context_length: 32_768,
      tool_parser: "hermes",
      reasoning_parser: "qwen3",
      sees: false,
      address: "hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
      here: "yes",
      file: { bytes: content.length, sha256, commit: COMMIT },
    });
    expect(list.files).toEqual([expect.objectContaining({ name: "own.gguf", complete: true, sha256: null })]);
    expect(await modelsJson("show", "gemma3")).toEqual([
      expect.objectContaining({ name: "gemma3:4b", here: "no", sees: true, file: null }),
    ]);
  });

  test("lists the catalogue also if there is no model folder yet", async () => {
    folder = join(folder, "absent");
    expect((await models()).printed).toContain("qwen3:0.6b");
    expect(existsSync(folder)).toBe(false);
  });

  test.each([
    [["fech"], "has no 'fech'. Did you mean 'fetch'?"],
    [["fetch"], "needs the name of a model"],
    [["list", "qwen3"], "Unexpected argument 'qwen3'"],
  ])("%j is wrong usage: %s", async (words, message) => {
    await expect(models(...words)).rejects.toThrow(expect.objectContaining({ name: "UsageError" }));
    await expect(models(...words)).rejects.toThrow(message);
  });

  test("has help for each action", () => {
    for (const action of ["list", "show", "fetch", "verify", "remove"])
      expect(commandHelp.models!([action, "--help"])).toMatch(
        new RegExp(`^Usage: stator models .?${action}`),
      );
    expect(commandHelp.models!()).toContain("verify [NAME…]");
  });
});

describe("stator models fetch", () => {
  test("takes names, addresses at a revision and URLs", async () => {
    const names = ["Qwen3:0.6B", "hf:owner/repo@v2/tiny.gguf", `${hub.url}/other.gguf`];
    const { exitCode, printed: text } = await models("fetch", ...names);
    expect(exitCode).toBe(0);
    expect(text).toContain("qwen3:0.6b is on this machine.");
    const paths = hub.requests.filter(({ method }) => method === "HEAD").map(({ path }) => path);
    expect(paths).toContain("/Qwen/Qwen3-0.6B-GGUF/resolve/main/Qwen3-0.6B-Q8_0.gguf");
    expect(paths).toContain("/owner/repo/resolve/v2/tiny.gguf");
    expect(paths).toContain("/other.gguf");
    expect(told).toContain("Downloading hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf (300 kB)");
  });

  test("resumes a broken download", async () => {
    let breaks = 1;
    hub.respond = serveFromHub({ folder, breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) });
    expect((await models("fetch", "qwen3:0.6b")).exitCode).toBe(0);
    expect(hub.requests.at(-1)!.range).toBe("bytes=100000-");
    expect((await models("verify", "qwen3:0.6b")).exitCode).toBe(0);
  });

  test("downloads the others if one fails, and says which one did", async () => {
    hub.respond = serveFromHub({ status: (path) => (path.includes("absent") ? 404 : 302) });
    const { exitCode, printed: text } = await models(
      "fetch",
      "hf:owner/absent/a.gguf",
      "gwen3:8b",
      "qwen3:8b",
    );
    expect(exitCode).toBe(1);
    expect(text).toContain("does not exist (404)");
    expect(text).toContain("Did you mean 'qwen3:8b'?");
    expect(text).toContain("qwen3:8b is on this machine.");
  });

  test("refuses a file that does not have the hub's checksum", async () => {
    hub.respond = serveFromHub({ checksum: "0".repeat(64) });
    const { exitCode, printed: text } = await models("fetch", "qwen3:0.6b");
    expect(exitCode).toBe(1);
    expect(text).toContain("The file is corrupt");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("stator models verify", () => {
  test("needs no network, and finds a damaged file and says how to repair it", async () => {
    await models("fetch", "qwen3:0.6b", "hf:owner/repo/tiny.gguf");
    await hub.close();
    // The folder belongs to this hub's addresses.
    process.env.HF_ENDPOINT = hub.url;
    expect((await models("verify")).exitCode).toBe(0);
    const damaged = Buffer.from(content);
    damaged[1000] = 0;
    writeFileSync(fileOf("Qwen3-0.6B-Q8_0.gguf"), damaged);
    const { exitCode, printed: text } = await models("verify");
    expect(exitCode).toBe(1);
    expect(text).toMatch(/^qwen3:0.6b: damaged. Its SHA-256 is \w+, not \w+/m);
    expect(text).toContain("stator models remove qwen3:0.6b && stator models fetch qwen3:0.6b");
    expect(text).toMatch(/tiny.gguf: ok/);
    expect((await models("verify", "hf:owner/repo/tiny.gguf")).exitCode).toBe(0);
  });

  test("finds a file that was cut off, and tells what it cannot verify", async () => {
    await models("fetch", "qwen3:0.6b");
    writeFileSync(fileOf("Qwen3-0.6B-Q8_0.gguf"), content.subarray(0, 1000));
    writeFileSync(join(folder, "own.gguf"), content);
    writeFileSync(join(folder, "rest.gguf.partial"), content);
    const states = (await modelsJson("verify")).map(({ name, state }: Record<string, string>) => [
      name,
      state,
    ]);
    expect(states).toEqual([
      ["own.gguf", "unknown"],
      ["qwen3:0.6b", "damaged"],
      ["rest.gguf", "partial"],
    ]);
  });

  test("of a model that is not here says how to get it", async () => {
    await expect(models("verify", "qwen3:8b")).rejects.toThrow("stator models fetch qwen3:8b");
  });
});

describe("stator models remove", () => {
  test("removes the file with its checksum, and says how much is free now", async () => {
    await models("fetch", "qwen3:0.6b", "hf:owner/repo/tiny.gguf");
    const { printed: text } = await models("remove", "qwen3:0.6b");
    expect(text).toMatch(/^Removed qwen3:0.6b: 300,\d+ bytes freed./);
    expect(readdirSync(folder).map((name) => name.slice(9))).toEqual(["tiny.gguf", "tiny.gguf.json"]);
    await models("remove", readdirSync(folder)[0]!);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("removes the part of an interrupted download", async () => {
    hub.respond = serveFromHub({ folder, breakAfter: () => 100_000 });
    const child = startFetch("qwen3:0.6b");
    await untilOnDisk(folder, 100_000);
    child.kill("SIGKILL");
    await once(child, "close");
    expect((await modelsJson("show", "qwen3:0.6b"))[0]).toMatchObject({ here: "partial" });
    await models("remove", "qwen3:0.6b");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("refuses what is not there, with a suggestion, and then removes nothing", async () => {
    await models("fetch", "qwen3:0.6b");
    await expect(models("remove", "qwen3:0.6b", "qwen3:1.7b")).rejects.toThrow(
      /qwen3:1.7b is not in .* Did you mean 'qwen3:0.6b'\?/,
    );
    await expect(models("remove", "qwem3:0.6b")).rejects.toThrow("Did you mean 'qwen3:0.6b'?");
    expect((await modelsJson("show", "qwen3:0.6b"))[0]).toMatchObject({ here: "yes" });
  });

  test("deletes nothing outside the model folder", async () => {
    const outside = join(temporaryFolder(), "mine.gguf");
    writeFileSync(outside, content);
    await expect(models("remove", outside)).rejects.toThrow("Only files there are managed");
    symlinkSync(outside, join(folder, "link.gguf"));
    await models("remove", "link.gguf");
    expect(readdirSync(folder)).toEqual([]);
    expect(readFileSync(outside)).toEqual(content);
  });

  test.runIf(process.platform === "linux")("leaves a model alone that a process has open", async () => {
    await models("fetch", "qwen3:0.6b");
    const reader = spawn("sleep", ["60"], {
      stdio: [openSync(fileOf("Qwen3-0.6B-Q8_0.gguf"), "r"), "ignore", "ignore"],
    });
    await once(reader, "spawn");
    await expect(models("remove", "qwen3:0.6b")).rejects.toThrow(`in use by process ${reader.pid}`);
    reader.kill();
    await once(reader, "close");
    expect((await models("remove", "qwen3:0.6b")).exitCode).toBe(0);
  });
});
