import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The variable that names the test file whose process started this one. Whatever a test starts inherits it, and what
 * that starts too, in whichever process group and whoever its parent is by now.
 */
export const MARK = "TEST_PROCESS_GROUP";

/** @returns the processes with this mark in the environment that they were started with */
export function markedProcesses(mark: string): number[] {
  const entry = `${MARK}=${mark}`;
  return process.platform === "linux" ? markedInProc(entry) : markedByPs(entry);
}

/** Kills the processes with this mark until there is none. @returns what they were, by process id */
export async function killMarked(mark: string): Promise<Map<number, string>> {
  const killed = new Map<number, string>();
  // Looked at twice: one that was just being started has the mark a moment later.
  for (let looks = 0; looks < 2; looks++, await sleep(20)) {
    for (const pid of markedProcesses(mark)) {
      looks = 0;
      if (!killed.has(pid)) killed.set(pid, commandOf(pid));
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  return killed;
}

function markedInProc(entry: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).split("\0").includes(entry))
    .map(Number);
}

/** On macOS and BSD, whose `ps` prints the environment behind the command. */
function markedByPs(entry: string): number[] {
  return execFileSync("ps", ["axeww", "-o", "pid=,command="], { encoding: "utf8", maxBuffer: 2 ** 28 })
    .split("\n")
    .filter((line) => line.split(" ").includes(entry))
    .map((line) => Number.parseInt(line, 10));
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

/** Empty where the process has ended, or is another user's. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
