import { setTimeout as sleep } from "node:timers/promises";

/** The value of a metric, summed over its series with all of `labels`; 0 if there are none. */
export async function metric(
  url: string,
  name: string,
  labels: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  let sum = 0;
  for (const line of text.split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    const isWanted = Object.entries(labels).every(([key, value]) => match[2]?.includes(`${key}="${value}"`));
    if (isWanted) sum += Number(match[3]);
  }
  return sum;
}

/** Polls `condition` until it holds or the test times out. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
