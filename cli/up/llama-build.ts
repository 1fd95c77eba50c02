import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));

/**
 * Installs node-llama-cpp's prebuilt addons for this machine, if they are missing. `npm ci` includes those for Linux
 * without a GPU; the others (CUDA alone is 540 MB) are downloaded on demand.
 * @param say receives progress messages
 * @throws Error if there is none for this machine, or npm cannot download it
 */
export async function ensureLlamaBuild(gpu: string, say: (text: string) => void): Promise<void> {
  for (const build of buildsFor(gpu)) {
    const target = join(modules, "@node-llama-cpp", build);
    if (!existsSync(join(target, "bins"))) await install(`@node-llama-cpp/${build}`, target, say);
  }
}

function buildsFor(gpu: string): string[] {
  const { platform, arch } = process;
  if (gpu === "metal" && platform !== "darwin")
    throw new Error("--gpu metal works only on Macs; use cuda, vulkan or auto here.");
  if (platform === "darwin") return [arch === "arm64" ? "mac-arm64-metal" : "mac-x64"];
  const machine = `${platform === "win32" ? "win" : platform}-${arch === "arm" ? "armv7l" : arch}`;
  if (gpu === "cuda") return [machine, `${machine}-cuda`, `${machine}-cuda-ext`];
  return gpu === "vulkan" ? [machine, `${machine}-vulkan`] : [machine];
}

async function install(name: string, target: string, say: (text: string) => void): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(modules, "node-llama-cpp", "package.json"), "utf8")) as {
    version: string;
  };
  say(`Downloading ${name}@${version} (llama.cpp for this machine), only this once.`);
  const staging = await mkdtemp(join(modules, ".gpu-"));
  try {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const { stdout } = await run(npm, [
      "pack",
      `${name}@${version}`,
      "--silent",
      "--pack-destination",
      staging,
    ]);
    const archive = join(staging, stdout.trim().split("\n").at(-1)!);
    await mkdir(join(staging, "out"));
    await run("tar", ["-xzf", archive, "-C", join(staging, "out"), "--strip-components=1"], {
      maxBuffer: 1 << 26,
    });
    await rm(target, { recursive: true, force: true });
    await rename(join(staging, "out"), target);
  } catch (error) {
    throw new Error(
      `Cannot download ${name}: ${error instanceof Error ? error.message : error}. Is there a build of llama.cpp for this machine?`,
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
