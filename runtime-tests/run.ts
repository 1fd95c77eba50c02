import { execFile } from "node:child_process";
import { promisify } from "node:util";

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program that prints one JSON value. Rejects with what it said where it fails. */
export async function runForJson(command: string, args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: MOST_OUTPUT_BYTES });
  return JSON.parse(stdout);
}
