// Installs the project's packages if they are missing or do not match the lockfile. Runs on the system's Node (20 or
// newer) and imports nothing that has to be installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Where installations shared by all checkouts are kept. */
export const cacheFolder = () => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "stator");

/** The Node that the project pins, from the npm package `node`. */
export const pinnedNode = join(
  root,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

/** Makes `folder`'s node_modules match its package-lock.json. @throws Stop, after an error message, if that fails */
export async function ensureInstalled(
  folder = root,
  what = "Installing Stator's packages (about 400 MB on disk), once.",
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
      // Otherwise node-llama-cpp's install script would compile llama.cpp if there is no prebuilt addon.
      env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" },
      // npm's output goes to standard error, because standard output is for the requested command.
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32",
    });
    if (code !== 0) {
      rmSync(stamp, { force: true });
      console.error("npm ci failed; see its output above.");
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

/** Records that `folder`'s node_modules match its package-lock.json. */
export const markInstalled = (folder) => writeFileSync(stampOf(folder), lockOf(folder));

/** Ends a script with this exit code; any message has already been printed. */
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
 * Runs a command and forwards signals to it.
 * @returns its exit code; 128 plus the signal's number if a signal ended it
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
 * Under npm, calls `onGone` once npm has ended: if npm is killed, the shell that it started and this script keep
 * running.
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

/** npm and the shell between it and this script, if there is one; read early, before either can have ended. */
const ancestors = process.env.npm_lifecycle_event === undefined ? [] : npmAncestors();

function npmAncestors() {
  const parent = process.ppid;
  try {
    // pid (comm) state ppid …; comm may contain spaces and parentheses.
    const [, name, grandparent] = /^\d+ \((.*)\) \S (\d+) /s.exec(
      readFileSync(`/proc/${parent}/stat`, "utf8"),
    );
    return /^(da|ba|z|a|k)?sh$/.test(name) ? [parent, Number(grandparent)] : [parent];
  } catch {
    return [parent];
  }
}

/** A lock that has not been refreshed for this many milliseconds is stale. */
const LOCK_TTL_MS = 10_000;

/** Runs `work` under a lock file, so that no other process does the same in this checkout. */
export async function withLock(path, work) {
  for (let isLogged = false; !tryLock(path); isLogged = true) {
    if (!isLogged) console.error("Another process is installing in this checkout; waiting for it.");
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
    // Its holder has just removed it.
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
