import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Identifies the scope of process ids: this machine since its boot, and this container. Processes with the same value
 * can check on each other by process id.
 */
export const hostIdentity = [
  hostname(),
  attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
  attempt(() => readlinkSync("/proc/self/ns/pid")),
].join(" ");

/**
 * When a process started, in clock ticks since boot; undefined if the system does not say. Together with the id it
 * identifies one process, since ids are reused.
 */
export function processStart(pid: number): string | undefined {
  return readStat(pid)?.start;
}

/**
 * Whether the process with this id and start time still runs. A zombie does not. Without a start time, any process with
 * the id counts.
 */
export function isProcessAlive(pid: number, start: string | undefined): boolean {
  const stat = readStat(pid);
  if (stat) return stat.state !== "Z" && stat.state !== "X" && (start === undefined || stat.start === start);
  if (process.platform === "linux") return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function readStat(pid: number): { state: string; start: string } | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  // The second field is the program's name in parentheses, which can contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, start] = [fields[0], fields[19]];
  return state && start ? { state, start } : undefined;
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
