import { readdirSync, readFileSync } from "node:fs";

/** CPU time and memory of a process and its descendants. */
export interface Usage {
  /** User and system time of all threads, including those of children that have ended. */
  cpuSeconds: number;
  residentBytes: number;
}

/**
 * Usage of the process `root` and its descendants, from `/proc`.
 * @throws Error if `root` has ended
 */
export function usageOf(root: number): Usage {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => read(`/proc/${name}/stat`))
    .filter((text) => text !== "")
    .map(parseStat);
  const family = familyOf(root, stats);
  if (family.length === 0) throw new Error(`Process ${root} has ended.`);
  return {
    cpuSeconds: family.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND,
    residentBytes: family.reduce((sum, { pid }) => sum + residentBytes(pid), 0),
  };
}

export interface Stat {
  pid: number;
  parent: number;
  /** utime, stime, cutime and cstime. */
  ticks: number;
}

/** Parses `/proc/PID/stat`. The name may contain spaces and parentheses; the other fields follow the last one. */
export function parseStat(line: string): Stat {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  // Field 3 of proc(5), the state, is the first here.
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid: Number.parseInt(line, 10),
    parent: field(4),
    ticks: field(14) + field(15) + field(16) + field(17),
  };
}

export function familyOf(root: number, stats: readonly Stat[]): Stat[] {
  const family = stats.filter(({ pid }) => pid === root);
  for (const { pid } of family) family.push(...stats.filter(({ parent }) => parent === pid));
  return family;
}

/** Linux uses hundredths of a second on every architecture that Node supports. */
const TICKS_PER_SECOND = 100;

/** Summed over its mappings, because the counter in `status` lags behind by some pages per thread. */
function residentBytes(pid: number): number {
  const [, kibibytes] = /^Rss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`)) ?? [];
  return Number(kibibytes ?? 0) * 1024;
}

/** Empty if the process has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
