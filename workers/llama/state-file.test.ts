import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkState, StateFile } from "./state-file.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
});

afterAll(() => rm(folder, { recursive: true }));

const state = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);

describe("a file of a sequence's state", () => {
  test("has its content, and on Linux no name", async () => {
    const file = await StateFile.create(state, [folder]);
    expect(file.bytes).toBe(state.length);
    if (process.platform === "linux") expect(await readdir(folder)).toEqual([]);
    const memory = new Uint8Array(state.length);
    await file.read(memory);
    expect(memory).toEqual(state);
    await expect(file.read(new Uint8Array(state.length + 1))).rejects.toThrow("shorter");
    file.close();
    await expect.poll(() => readdir(folder)).toEqual([]);
  });

  test("goes to the next folder if it cannot be created or written in the first", async () => {
    const file = await StateFile.create(state, [join(folder, "missing"), folder]);
    const memory = new Uint8Array(state.length);
    await file.read(memory);
    expect(memory).toEqual(state);
    file.close();
    const full = { saveStateToFile: () => Promise.reject(new Error("There is no space.")) };
    const saving = StateFile.save(full, [folder, folder]);
    await expect(saving).rejects.toThrow("There is no space.");
    await expect.poll(() => readdir(folder)).toEqual([]);
  });
});

describe("a state is refused", () => {
  const prompt = [5, 6, 7];
  const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const good = words(0x67677371, 3, 2, 5, 6, 99, 98);

  test("unless it is that of the prompt's first tokens", () => {
    checkState(good, prompt, 2);
    const wrong: [Uint8Array, number[], number][] = [
      [good, [5, 8, 7], 2],
      [good, prompt, 1],
      [good, prompt, 3],
      [good.subarray(0, 19), prompt, 2],
      [new Uint8Array(0), prompt, 2],
      [words(1, 3, 2, 5, 6), prompt, 2],
    ];
    for (const [bytes, tokens, count] of wrong)
      expect(() => checkState(bytes, tokens, count)).toThrow(expect.objectContaining({ outcome: "format" }));
  });
});
