import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** Hosts that run a script, TypeScript as it is. */
export type ScriptHost = "node" | "deno" | "bun";

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Deno is to take this checkout for what it is: no configuration, nothing from a network. */
const DENO_FLAGS = ["--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--allow-read"];

/** Runs a script that prints one JSON value. Rejects with what it said where it fails. */
export function runScript(host: ScriptHost, script: string, ...args: string[]): Promise<unknown> {
  if (host === "node") return runForJson(process.execPath, [script, ...args]);
  const command = host === "deno" ? ["run", ...DENO_FLAGS] : [];
  return runForJson(binaryOf(host), [...command, script, ...args]);
}

/** The same for a script in Python, in the virtual environment that `scripts/python.mjs` makes. */
export function runPython(script: string, ...args: string[]): Promise<unknown> {
  return runForJson(join(import.meta.dirname, ".venv", "bin", "python"), [script, ...args]);
}

/** Where each platform's package has the binary: the npm packages leave finding it to install scripts. */
const PATHS = { deno: "deno", bun: "bin/bun", workerd: "bin/workerd" };

/** The host's own binary, as npm ships it. Throws with what to do where it is not installed. */
export function binaryOf(host: keyof typeof PATHS): string {
  const modules = join(import.meta.dirname, "node_modules");
  const extension = process.platform === "win32" ? ".exe" : "";
  for (const name of platformPackages(join(modules, host, "package.json"))) {
    const path = join(modules, name, PATHS[host] + extension);
    if (existsSync(path)) return path;
  }
  const platform = `${process.platform} ${process.arch}`;
  throw new Error(`There is no ${host} for ${platform} here: 'npm run test:hosts' installs what npm has.`);
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
