import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "#runtime/node";
import { startVllm } from "#stand-ins";
import { asUsage, integer, runCommand } from "./command-line.ts";
import { alignColumns } from "./table.ts";

const HELP = `npm run bench:binary -- [--runs N]

Measures how long the executable (dist/stator) and a start from source take until they serve an engine, and their
memory when idle: medians of N runs (5), compared with the limits.
`;

/** From the start of the process until it can answer a request. */
const MOST_START_MS = 300;
const MOST_IDLE_MB = 120;
/** How long after its start a gateway is idle. */
const SETTLED_MS = 3_000;

const root = join(import.meta.dirname, "..");
const EXECUTABLE = join(root, "dist", "stator");
const COMMANDS: Record<string, readonly string[]> = {
  executable: [EXECUTABLE],
  source: [process.execPath, join(root, "cli", "main.ts")],
};

interface Run {
  startMs: number;
  idleMb: number;
}

/** Starts the command once, in front of a running engine. */
async function run(command: readonly string[], engine: string): Promise<Run> {
  const port = await freePort();
  const args = [...command.slice(1), "attach", engine, `--port=${port}`, "--config=none"];
  const started = performance.now();
  const child = spawn(command[0]!, args, { stdio: "ignore" });
  try {
    while (!(await answers(port, child))) await sleep(2);
    const startMs = performance.now() - started;
    await sleep(SETTLED_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    return { startMs, idleMb: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024 };
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** Whether it can answer requests. @throws Error if the process has ended */
async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const { exitCode, signalCode } = child;
  if (exitCode !== null || signalCode !== null)
    throw new Error(`The process ended (${signalCode ?? exitCode}).`);
  return fetch(`http://127.0.0.1:${port}/health`).then(
    ({ ok }) => ok,
    () => false,
  );
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

await runCommand(
  HELP,
  () => {
    const options = { runs: { type: "string", default: "5" }, help: { type: "boolean" } } as const;
    const { values } = asUsage(() => parseArgs({ options }));
    return values.help ? undefined : { runs: integer("runs", values.runs, 1, 100) };
  },
  async ({ runs }) => {
    execFileSync(process.execPath, [join(root, "scripts", "build-binary.mjs")], { stdio: ["ignore", 2, 2] });
    const engine = await startVllm({ kvEvents: {} });
    const lines = [["", "ready ms", "of limit", "idle MB", "of limit"]];
    for (const [name, command] of Object.entries(COMMANDS)) {
      const all: Run[] = [];
      for (let index = 0; index < runs; index++) all.push(await run(command, engine.url));
      const startMs = median(all.map((each) => each.startMs));
      const idleMb = median(all.map((each) => each.idleMb));
      const share = (value: number, most: number) => `${(value / most).toFixed(2)}×`;
      lines.push([
        name,
        startMs.toFixed(0),
        share(startMs, MOST_START_MS),
        idleMb.toFixed(0),
        share(idleMb, MOST_IDLE_MB),
      ]);
    }
    await engine.close();
    const megabytes = Math.round(statSync(EXECUTABLE).size / 1e6);
    console.log(
      `Medians of ${runs} starts in front of one engine; limits: ${MOST_START_MS} ms until it can answer,`,
    );
    console.log(
      `${MOST_IDLE_MB} MB of resident memory when idle. The executable is a file of ${megabytes} MB.\n`,
    );
    console.log(alignColumns(lines).join("\n"));
  },
);
