import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Names the place where a process id means the same process: this machine, since it was started, in this
 * container. Two processes that see the same text may look after each other by process id.
 */
export const hostIdentity = [
  hostname(),
  attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
  attempt(() => readlinkSync("/proc/self/ns/pid")),
].join(" ");

/**
 * When a process started, in the kernel's clock ticks since the machine did; undefined where the system does not
 * tell. With the id it names one process: ids are given out again, but not at the same time.
 */
export function processStart(pid: number): string | undefined {
  return readStat(pid)?.start;
}

/**
 * Whether the process with this id and start time still runs. A process that is dead but not yet collected by its
 * parent (a zombie) does not. Where the system tells no start time, any process with the id counts.
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
  // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
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
