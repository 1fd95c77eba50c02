import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Builds the mock engines and the load client in `load/`.
 * @returns the program's path
 * @throws Error if cargo is missing or fails
 */
export async function buildLoad(): Promise<string> {
  const folder = fileURLToPath(new URL("load", import.meta.url));
  const args = ["build", "--release", "--locked", "--quiet", "--target-dir", "target"];
  await runToEnd(
    "cargo",
    args,
    "Building the mock engines requires cargo (Rust: https://rustup.rs).",
    folder,
  );
  return join(folder, "target/release/stator-attach-load");
}

/**
 * Installs a package from PyPI into its own virtual environment in the user's cache folder, unless it exists.
 * @returns the environment's folder of executables
 * @throws Error if Python is missing or pip fails
 */
export async function installPython(name: string, version: string): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "stator", "bench", `${name}-${version}`);
  const programs = join(folder, "bin");
  const complete = join(folder, "complete");
  if (existsSync(complete)) return programs;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const need = `${name} requires Python 3 with venv; use --only to omit it.`;
  await runToEnd("python3", ["-m", "venv", folder], need);
  await runToEnd(join(programs, "pip"), ["install", "--quiet", `${name}==${version}`], need);
  await writeFile(complete, "");
  return programs;
}

/** @throws Error that begins with `need`; if the program fails, with the last lines of its output */
function runToEnd(program: string, args: readonly string[], need: string, cwd?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...(cwd && { cwd }), stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.on("error", (cause) => reject(new Error(`${need} '${program}' did not start.`, { cause })));
    child.on("close", (code) => {
      if (code === 0) return resolve();
      const last = errors.trim().split("\n").slice(-5).join("\n");
      reject(new Error(`${need} '${program} ${args.join(" ")}' failed:\n${last}`));
    });
  });
}
