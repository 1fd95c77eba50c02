import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAlive } from "../is-alive.ts";
import { until } from "./metrics.ts";
import type { StatorProcess } from "./stator-process.ts";

interface ProcessEntry {
  pid: number;
  parent: number;
  command: string;
}

function processes(): ProcessEntry[] {
  const lines = execFileSync("ps", ["-e", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)!;
    return { pid: Number(pid), parent: Number(parent), command: command! };
  });
}

/** A process and all its descendants. */
export function family(pid: number, all = processes()): ProcessEntry[] {
  const self = all.filter((entry) => entry.pid === pid);
  const children = all.filter((entry) => entry.parent === pid);
  return [...self, ...children.flatMap((child) => family(child.pid, all))];
}

/** Waits until none of these processes exists. */
export const gone = (entries: readonly ProcessEntry[]) =>
  until(async () => !entries.some(({ pid }) => isAlive(pid)));

/** The run folders of this `stator up`. */
export const leftovers = (pid: number) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`stator-${pid}-`));

/** The process of this worker of a `stator up`. */
export function workerPid(stator: StatorProcess, name: string): number {
  const worker = family(stator.pid).find(
    ({ command }) => command.includes(" worker ") && command.includes(`--name=${name} `),
  );
  if (worker === undefined) throw new Error(`There is no worker '${name}'.`);
  return worker.pid;
}
