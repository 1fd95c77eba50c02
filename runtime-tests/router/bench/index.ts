/**
 * `npm run bench:hosts`: measures the router's first and steady decision on each JavaScript host, compared with Node in
 * the same round. Every measurement is a separate process.
 */
import { join } from "node:path";
import { runScript, type ScriptHost } from "../../hosts.ts";
import { type Speed, TOKENS } from "./decisions.ts";

const HOSTS: ScriptHost[] = ["node", "deno", "bun"];
const ROUNDS = 11;

const rounds: Record<ScriptHost, Speed>[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const speeds: Partial<Record<ScriptHost, Speed>> = {};
  // Each round starts with another host, so that none is always measured at the quietest moment.
  for (let i = 0; i < HOSTS.length; i++) {
    const host = HOSTS[(i + round) % HOSTS.length]!;
    speeds[host] = (await runScript(host, join(import.meta.dirname, `${host}.ts`))) as Speed;
  }
  rounds.push(speeds as Record<ScriptHost, Speed>);
}

console.log(
  `${TOKENS.toLocaleString("en")} tokens, 8 workers, medians of ${ROUNDS} rounds; × relative to Node in the same round`,
);
for (const host of HOSTS) {
  const figures = (["firstMs", "steadyUs"] as const).map((figure) => {
    const value = median(rounds.map((speeds) => speeds[host][figure]));
    const ratio = median(rounds.map((speeds) => speeds[host][figure] / speeds.node[figure]));
    return `${value.toFixed(2).padStart(6)} ${figure === "firstMs" ? "ms" : "µs"} (${ratio.toFixed(2)}×)`;
  });
  console.log(`${host.padEnd(5)} first ${figures[0]}   steady ${figures[1]}`);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
