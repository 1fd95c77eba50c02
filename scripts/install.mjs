// Installs the project's packages when they are missing or older than the lockfile. Runs on the machine's own
// Node (20 or newer) and imports nothing that has to be installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Where what is installed once for all checkouts is kept. */
export const cacheFolder = () => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "stator");

/** The Node that the project pins, from the npm package `node`. */
export const pinnedNode = join(
  root,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

/** Makes `folder`'s node_modules match its package-lock.json; exits with a sentence where that fails. */
export async function ensureInstalled(
  folder = root,
  what = "Installing Stator's packages (about 350 MB on disk), once.",
) {
  const stamp = stampOf(folder);
  const lock = lockOf(folder);
  const isCurrent = () => existsSync(stamp) && readFileSync(stamp, "utf8") === lock;
  if (isCurrent()) return;
  await withLock(join(folder, ".stator-install.lock"), async () => {
    if (isCurrent()) return;
    console.error(what);
    const started = Date.now();
    const code = await runToEnd(npm, ["ci", "--loglevel=error", "--no-audit", "--no-fund"], {
      cwd: folder,
      // node-llama-cpp's install script would compile llama.cpp where its prebuilt addon is missing.
      env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" },
      // npm's own words go to standard error: standard output belongs to the command that was asked for.
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32",
    });
    if (code !== 0) {
      rmSync(stamp, { force: true });
      console.error("npm ci failed; what it says above tells why.");
      throw new Stop(code);
    }
    markInstalled(folder);
    console.error(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

const stampOf = (folder) => join(folder, "node_modules", ".stator-installed");
const lockOf = (folder) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");

/** Notes that `folder`'s node_modules match its package-lock.json. */
export const markInstalled = (folder) => writeFileSync(stampOf(folder), lockOf(folder));

/** A script ends with this exit code, and everything has been said. */
export class Stop extends Error {
  constructor(code) {
    super(`exit code ${code}`);
    this.code = code;
  }
}

/** Runs a script's steps and ends the process with their exit code. */
export async function main(steps) {
  try {
    process.exit((await steps()) ?? 0);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.exit(error.code);
  }
}

/**
 * Runs a command to its end; its exit code, 128 and the signal's number where a signal ended it. Signals to this
 * process go to the command.
 */
export function runToEnd(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    const forward = (signal) => child.kill(signal);
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, forward);
    const stopWatching = watchNpm(() => child.kill("SIGTERM"));
    const settle = (action) => {
      stopWatching();
      for (const signal of signals) process.off(signal, forward);
      action();
    };
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code, signal) =>
      settle(() => resolve(signal === null ? code : 128 + constants.signals[signal])),
    );
  });
}

/**
 * Under npm, calls `onGone` once when npm is gone: killed, it takes neither the shell that it started nor this
 * script with it.
 */
function watchNpm(onGone) {
  if (ancestors.length === 0) return () => {};
  const timer = setInterval(() => {
    if (process.ppid === ancestors[0] && ancestors.every(isAlive)) return;
    clearInterval(timer);
    onGone();
  }, 500);
  return () => clearInterval(timer);
}

/** npm, and the shell between it and this script where there is one; read before either can be gone. */
const ancestors = process.env.npm_lifecycle_event === undefined ? [] : npmAncestors();

function npmAncestors() {
  const parent = process.ppid;
  try {
    // pid (comm) state ppid …; a command's name may have spaces and brackets in it.
    const [, name, grandparent] = /^\d+ \((.*)\) \S (\d+) /s.exec(
      readFileSync(`/proc/${parent}/stat`, "utf8"),
    );
    return /^(da|ba|z|a|k)?sh$/.test(name) ? [parent, Number(grandparent)] : [parent];
  } catch {
    return [parent];
  }
}

/** How old a lock's last sign of life may be, in milliseconds. */
const LOCK_TTL_MS = 10_000;

/** Runs `work` while no other process does the same in this checkout. */
export async function withLock(path, work) {
  for (let told = false; !tryLock(path); told = true) {
    if (!told) console.error("Another process is installing in this checkout; waiting for it.");
    await sleep(300);
  }
  const refresh = setInterval(() => utimesSync(path, new Date(), new Date()), 1_000);
  try {
    await work();
  } finally {
    clearInterval(refresh);
    rmSync(path, { force: true });
  }
}

function tryLock(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    const holder = Number(readFileSync(path, "utf8"));
    if (isAlive(holder) && Date.now() - statSync(path).mtimeMs < LOCK_TTL_MS) return false;
    rmSync(path, { force: true });
  } catch {
    // Gone in the meantime: its holder is done.
  }
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

const npm = process.platform === "win32" ? "npm.cmd" : "npm";
