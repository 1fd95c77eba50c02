import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { StatorProcess } from "../stator-process.ts";

const folders: string[] = [];

afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A temporary folder, removed after the test file. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stator-access-"));
  folders.push(folder);
  return folder;
}

/** Runs `stator keys` with a file. @returns its output */
export async function keys(file: string, ...args: string[]): Promise<string> {
  const stator = new StatorProcess(["keys", ...args, `--keys=${file}`, "--config=none"]);
  const code = await stator.ended();
  if (code !== 0) throw new Error(stator.stderr);
  return stator.stdout.trim();
}
