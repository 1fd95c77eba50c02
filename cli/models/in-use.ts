import { readdir, readFile, readlink, realpath } from "node:fs/promises";

/**
 * Process ids of the running processes that have the file open, or mapped as llama.cpp does. Linux only; elsewhere, and
 * for other users' processes, it finds none.
 */
export async function processesUsing(path: string): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const file = await realpath(path).catch(() => undefined);
  if (file === undefined) return [];
  const ids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const using = await Promise.all(
    ids.map(async (id) => ((await hasMapped(id, file)) || (await hasOpen(id, file)) ? [Number(id)] : [])),
  );
  return using.flat().filter((id) => id !== process.pid);
}

async function hasMapped(id: string, file: string): Promise<boolean> {
  const maps = await readFile(`/proc/${id}/maps`, "utf8").catch(() => "");
  return maps.split("\n").some((line) => line.endsWith(` ${file}`));
}

async function hasOpen(id: string, file: string): Promise<boolean> {
  const descriptors = await readdir(`/proc/${id}/fd`).catch(() => []);
  const targets = await Promise.all(
    descriptors.map((name) => readlink(`/proc/${id}/fd/${name}`).catch(() => "")),
  );
  return targets.includes(file);
}
