import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { StatorProcess } from "../stator-process.ts";

const folders: string[] = [];

afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A folder of its own for a test's files, which goes with the test's file. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stator-access-"));
  folders.push(folder);
  return folder;
}

/** `stator keys` with a file. @returns what it printed */
export async function keys(file: string, ...args: string[]): Promise<string> {
  const stator = new StatorProcess(["keys", ...args, `--keys=${file}`, "--config=none"]);
  const code = await stator.ended();
  if (code !== 0) throw new Error(stator.stderr);
  return stator.stdout.trim();
}
