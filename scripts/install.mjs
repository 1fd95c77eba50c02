// Installs the project's packages when they are missing or older than the lockfile. Runs on the machine's own
// Node (20 or newer) and imports nothing that has to be installed.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** The Node that the project pins, from the npm package `node`. */
export const pinnedNode = join(
  root,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

const npmEnvironment = {
  ...process.env,
  // node-llama-cpp's install script would compile llama.cpp where its prebuilt addon is missing.
  NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true",
};

/** Makes `folder`'s node_modules match its package-lock.json. */
export function ensureInstalled(
  folder = root,
  what = "Installing Stator's packages (about 350 MB on disk), once.",
) {
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = join(folder, "node_modules", ".stator-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  console.error(what);
  const started = Date.now();
  const result = spawnSync(npm, ["ci", "--loglevel=error", "--no-audit", "--no-fund"], {
    cwd: folder,
    env: npmEnvironment,
    // npm's own words go to standard error: standard output belongs to the command that was asked for.
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    rmSync(stamp, { force: true });
    console.error("npm ci failed; see above. Check the network and try again.");
    process.exit(1);
  }
  writeFileSync(stamp, lock);
  console.error(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/** The pinned Node's version, for messages. */
export const pinnedVersion = () => execFileSync(pinnedNode, ["--version"], { encoding: "utf8" }).trim();
