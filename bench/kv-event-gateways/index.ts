/** `npm run bench:kv-event-gateways`: KV events from the worker to each gateway, compared with published once in NATS. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { acceptsConnections, freePort } from "#runtime/node";
import { asUsage, integer, runCommand, showProgress } from "../command-line.ts";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";

/** CPU microseconds for each batch. */
interface Figures {
  readonly worker: number;
  /** Of one gateway. */
  readonly gateway: number;
  readonly nats: number;
}

interface Load {
  readonly name: string;
  readonly blocks: number;
  readonly batches: number;
  /** Batches between two pauses. */
  readonly perPause: number;
  readonly pauseMs: number;
}

const LOADS: readonly Load[] = [
  { name: "32 blocks, 1 every 2 ms", blocks: 32, batches: 2_000, perPause: 1, pauseMs: 2 },
  { name: "32 blocks, 20 every 4 ms", blocks: 32, batches: 12_000, perPause: 20, pauseMs: 4 },
];
const GATEWAYS = [1, 4, 8];
/** The kernel counts a process's CPU time in these. */
const TICK_MICROSECONDS = 10_000;

const HELP = `npm run bench:kv-event-gateways -- [OPTIONS]

Measures the CPU time that KV events take in the worker, in each gateway and in the NATS server: sent by the worker to
each gateway over the request plane, compared with published once in NATS (--events nats://…). Needs nats-server in
/usr/sbin, and Linux. Takes some minutes.

  --repeat N  interleaved rounds; the report shows medians (3)
  --help      print this text
`;

await runCommand(
  HELP,
  () => {
    const options = {
      repeat: { type: "string", default: "3" },
      help: { type: "boolean", default: false },
    } as const;
    const { values } = asUsage(() => parseArgs({ options }));
    return values.help ? undefined : { repeat: integer("repeat", values.repeat, 1, 100) };
  },
  async ({ repeat }) => {
    const rows: string[][] = [
      [
        "batches of",
        "gateways",
        "worker µs: plane",
        "NATS",
        "ratio",
        "gateway µs: plane",
        "NATS",
        "server µs",
      ],
    ];
    for (const load of LOADS)
      for (const gateways of GATEWAYS) {
        showProgress(`${load.name} to ${gateways}`);
        rows.push([load.name, String(gateways), ...(await compare(load, gateways, repeat))]);
      }
    showProgress("");
    process.stdout.write(`${alignColumns(rows).join("\n")}\n`);
  },
);

async function compare(load: Load, gateways: number, repeat: number): Promise<string[]> {
  const rounds: { plane: Figures; nats: Figures }[] = [];
  for (let round = 0; round < repeat; round++)
    rounds.push({ plane: await measure(load, gateways, false), nats: await measure(load, gateways, true) });
  const of = (read: (round: (typeof rounds)[number]) => number) => median(rounds.map(read));
  return [
    of(({ plane }) => plane.worker).toFixed(0),
    of(({ nats }) => nats.worker).toFixed(0),
    of(({ plane, nats }) => nats.worker / plane.worker).toFixed(2),
    of(({ plane }) => plane.gateway).toFixed(1),
    of(({ nats }) => nats.gateway).toFixed(1),
    of(({ nats }) => nats.nats).toFixed(1),
  ];
}

async function measure(load: Load, count: number, isStream: boolean): Promise<Figures> {
  const { blocks, batches, perPause, pauseMs } = load;
  const server = isStream ? await startNats() : undefined;
  const children: ChildProcess[] = [];
  const start = (file: string, args: readonly unknown[]) => {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), args.map(String));
    children.push(child);
    return child;
  };
  try {
    const url = server?.url ?? "";
    const worker = start("worker-process.ts", [url, blocks, batches, perPause, pauseMs]);
    const [{ address, subject = "" }] = await once(worker, "message");
    const gateways = Array.from({ length: count }, () =>
      start("gateway-process.ts", [url, subject, address, batches]),
    );
    await Promise.all(gateways.map((gateway) => once(gateway, "message")));
    const before = server?.cpu() ?? 0;
    const done = [worker, ...gateways].map((child) => once(child, "message"));
    worker.send("go");
    const [own = 0, ...others] = (await Promise.all(done)).map(([cpu]) => Number(cpu));
    return {
      worker: own / batches,
      gateway: others.reduce((sum, cpu) => sum + cpu, 0) / count / batches,
      nats: ((server?.cpu() ?? 0) - before) / batches,
    };
  } finally {
    for (const child of children) child.kill();
    await server?.stop();
  }
}

async function startNats() {
  const folder = mkdtempSync(join(tmpdir(), "stator-bench-nats-"));
  const port = await freePort();
  const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder];
  const server = spawn("/usr/sbin/nats-server", args, { stdio: "ignore" });
  while (!(await acceptsConnections(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  return {
    url: `nats://127.0.0.1:${port}`,
    /** CPU time of all its threads so far, in microseconds. */
    cpu() {
      const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
    },
    async stop() {
      server.kill();
      await once(server, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
