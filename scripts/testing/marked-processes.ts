import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The variable that marks the processes of a test file. All its descendants inherit it, regardless of their process
 * groups and current parents.
 */
export const PROCESS_MARK = "TEST_PROCESS_GROUP";

/**
 * @returns the processes with this mark in their initial environment, and on Linux all others of the sessions that these lead:
 *   a process that sets its title, such as vLLM's, overwrites its environment
 */
export function markedProcesses(mark: string): number[] {
  const entry = `${PROCESS_MARK}=${mark}`;
  return process.platform === "linux" ? markedInProc(entry) : markedByPs(entry);
}

/** Kills processes with this mark until there are none. @returns their commands by process id */
export async function killMarked(mark: string): Promise<Map<number, string>> {
  const killed = new Map<number, string>();
  // Checks twice, because a process that is just starting gets the mark a moment later.
  for (let checks = 0; checks < 2; checks++, await sleep(20)) {
    for (const pid of markedProcesses(mark)) {
      checks = 0;
      if (!killed.has(pid)) killed.set(pid, commandOf(pid));
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has already ended.
      }
    }
  }
  return killed;
}

function markedInProc(entry: string): number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const marked = new Set(all.filter((name) => read(`/proc/${name}/environ`).split("\0").includes(entry)));
  if (marked.size === 0) return [];
  return all.filter((name) => marked.has(name) || marked.has(sessionOf(name))).map(Number);
}

/** The id of the process that leads the process's session; empty if the process has ended. */
function sessionOf(pid: string): string {
  // The command, in parentheses, may contain blanks; after it come state, parent, group and session.
  return (
    read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ")[3] ?? ""
  );
}

/** For macOS and BSD, where `ps` prints the environment after the command. */
function markedByPs(entry: string): number[] {
  return execFileSync("ps", ["axeww", "-o", "pid=,command="], { encoding: "utf8", maxBuffer: 2 ** 28 })
    .split("\n")
    .filter((line) => line.split(" ").includes(entry))
    .map((line) => Number.parseInt(line, 10));
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

/** Empty if the process has ended or belongs to another user. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
