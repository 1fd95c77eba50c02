import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** Hosts that run TypeScript scripts directly. */
export type ScriptHost = "node" | "deno" | "bun";

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Keeps Deno from using configuration or the network. */
const DENO_FLAGS = ["--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--allow-read"];

/** Runs a script that prints one JSON value. Rejects with its output if it fails. */
export function runScript(host: ScriptHost, script: string, ...args: string[]): Promise<unknown> {
  if (host === "node") return runForJson(process.execPath, [script, ...args]);
  const command = host === "deno" ? ["run", ...DENO_FLAGS] : [];
  return runForJson(binaryOf(host), [...command, script, ...args]);
}

/** The same for a Python script, in the virtual environment from `scripts/python.mjs`. */
export function runPython(script: string, ...args: string[]): Promise<unknown> {
  return runForJson(join(import.meta.dirname, ".venv", "bin", "python"), [script, ...args]);
}

/** The path of the binary in each platform's package, which npm packages leave to install scripts to find. */
const PATHS = { deno: "deno", bun: "bin/bun", workerd: "bin/workerd" };

/** The host's native binary from npm. @throws Error that says what to do, if it is not installed */
export function binaryOf(host: keyof typeof PATHS): string {
  const modules = join(import.meta.dirname, "node_modules");
  const extension = process.platform === "win32" ? ".exe" : "";
  for (const name of platformPackages(join(modules, host, "package.json"))) {
    const path = join(modules, name, PATHS[host] + extension);
    if (existsSync(path)) return path;
  }
  const platform = `${process.platform} ${process.arch}`;
  throw new Error(
    `${host} for ${platform} is not installed. 'npm run test:hosts' installs it if npm has it.`,
  );
}

function platformPackages(manifest: string): string[] {
  if (!existsSync(manifest)) return [];
  const { optionalDependencies } = JSON.parse(readFileSync(manifest, "utf8"));
  return Object.keys(optionalDependencies);
}

async function runForJson(command: string, args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: MOST_OUTPUT_BYTES });
  return JSON.parse(stdout);
}
