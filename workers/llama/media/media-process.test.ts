import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { MediaProcess, type MediaProcessOptions } from "./media-process.ts";

/** A binding that does what the prompt says. */
const BINDING = `exports.LlamaContext = class {
  initMultimodal({ path }) {
    if (path.includes("deadly")) process.exit(1);
    return !path.includes("foreign");
  }
  getMultimodalSupport() { return { vision: true, audio: false }; }
  async tokenize(prompt) {
    if (prompt === "damaged") throw new Error("no picture");
    return { tokens: new Int32Array(prompt === "long" ? 100 : 7) };
  }
  clearCache() {}
  stopCompletion() { this.stop(); }
  async completion({ prompt, n_predict }, onText) {
    process.stdout.write(prompt);
    if (prompt === "crash") process.exit(1);
    if (prompt === "fail") throw new Error("out of memory");
    onText({ token: "one " });
    if (prompt === "wait") await new Promise((stop) => { this.stop = stop; });
    if (prompt === "late") setTimeout(() => onText({ token: "two" }), 0);
    else if (prompt !== "wait") onText({ token: "two" });
    return { text: prompt === "wait" ? "one " : "one two" + (n_predict === 93 ? "" : "\\ufffd"), stopped_eos: n_predict === 93 };
  }
};`;

let options: MediaProcessOptions;
let media: MediaProcess;
const never = new AbortController().signal;

beforeAll(async () => {
  const binding = join(temporaryFolder(), "binding.cjs");
  await writeFile(binding, BINDING);
  options = { binding, modelPath: "model", projectorPath: "projector", contextLength: 100, threads: 1 };
  media = await MediaProcess.open(options);
});

afterAll(() => media.close());

async function ask(prompt: string, maxTokens = 1000, signal = never, onText = (_: string) => {}) {
  const texts: string[] = [];
  let begun: number | undefined;
  const sampling = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, seed: 1, ignore_eos: false } as const;
  const penalties = { penalty_last_n: 0, penalty_repeat: 1, penalty_freq: 0, penalty_present: 0 } as const;
  const end = await media.ask(
    {
      ...{ kind: "ask", prompt, media: [], maxTokens },
      options: { ...sampling, ...penalties, xtc_probability: 0, dry_multiplier: 0 },
    },
    {
      onBegun: (promptTokens) => {
        begun = promptTokens;
      },
      onText: (text) => {
        texts.push(text);
        onText(text);
      },
    },
    signal,
  );
  return { end, begun, text: texts.join("") };
}

test("an answer comes piece by piece, as long as the context has room", async () => {
  expect(await ask("hello")).toEqual({ end: { kind: "done", finish: "stop" }, begun: 7, text: "one two" });
});

test("a piece that comes after the result is there once, and no half character", async () => {
  expect(await ask("late", 5)).toEqual({
    end: { kind: "done", finish: "length" },
    begun: 7,
    text: "one two",
  });
  expect((await ask("hello")).text).toBe("one two");
});

test("no answer is computed if none is wanted", async () => {
  expect(await ask("hello", 0)).toEqual({ end: { kind: "done", finish: "length" }, begun: 7, text: "" });
});

test("damaged media and prompts that are too long never reach the computation", async () => {
  expect(await ask("damaged")).toMatchObject({ end: { kind: "refused" }, begun: undefined });
  expect(await ask("long")).toMatchObject({
    end: { kind: "refused", message: expect.stringContaining("100 tokens") },
  });
});

test("an answer that is cancelled ends, and the next one is answered", async () => {
  const leaving = new AbortController();
  const { end } = await ask("wait", 1000, leaving.signal, () => leaving.abort());
  expect(end.kind).toBe("done");
  expect((await ask("hello")).text).toBe("one two");
});

test.each(["crash", "fail"])("after a %s, the next prompt is answered by a new process", async (prompt) => {
  expect((await ask(prompt)).end.kind).toBe("failed");
  expect((await ask("hello")).text).toBe("one two");
});

test.each([
  ["foreign", "that of another model"],
  ["deadly", "ended its process"],
])("a %s projector is refused with the reason", async (projectorPath, reason) => {
  await expect(MediaProcess.open({ ...options, projectorPath })).rejects.toThrow(
    new RegExp(`Cannot load the projector ${projectorPath}: .*${reason}`),
  );
});
