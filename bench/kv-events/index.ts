/** `npm run bench:kv-events`: the cost of publishing KV events over ZeroMQ, compared with the library zeromq. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ZmqKvEventSubscriber } from "#runtime/node";
import { asUsage, integer, runCommand, showProgress } from "../command-line.ts";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";

interface Load {
  name: string;
  /** Per batch. */
  blocks: number;
  batches: number;
  pauseMs: number;
}

interface Figures {
  /** Microseconds per message. */
  cpu: number;
  /** To each subscriber. */
  messagesPerSecond: number;
}

const LOADS: readonly Load[] = [
  { name: "32 blocks, every 2 ms", blocks: 32, batches: 1_500, pauseMs: 2 },
  { name: "32 blocks, at once", blocks: 32, batches: 20_000, pauseMs: 0 },
  { name: "512 blocks, at once", blocks: 512, batches: 2_000, pauseMs: 0 },
];
const SUBSCRIBERS = [1, 8];

const HELP = `npm run bench:kv-events -- [OPTIONS]

Measures the cost of publishing KV events over ZeroMQ, compared with the library zeromq instead of our own sockets: CPU
of the publishing process, all threads, and messages per second until the last subscriber has them, with all subscribers
in another process. Takes some minutes.

  --repeat N  interleaved rounds; the report shows medians (5)
  --json      print one JSON object per row instead of the table
  --help      print this text
`;

await runCommand(
  HELP,
  () => {
    const options = {
      repeat: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    } as const;
    const { values } = asUsage(() => parseArgs({ options }));
    if (values.help) return undefined;
    return { repeat: integer("repeat", values.repeat, 1, 100), json: values.json };
  },
  async ({ repeat, json }) => {
    const rows: Row[] = [];
    for (const load of LOADS)
      for (const subscribers of SUBSCRIBERS) {
        showProgress(`${load.name} to ${subscribers}`);
        rows.push(await compare(load, subscribers, repeat));
      }
    showProgress("");
    process.stdout.write(json ? rows.map((row) => `${JSON.stringify(row)}\n`).join("") : format(rows));
  },
);

interface Row {
  load: string;
  subscribers: number;
  zeromq: Figures;
  own: Figures;
  /** Our CPU relative to zeromq's; the median of the rounds. */
  ratio: number;
}

async function compare(load: Load, subscribers: number, repeat: number): Promise<Row> {
  const rounds: { zeromq: Figures; own: Figures }[] = [];
  for (let round = 0; round < repeat; round++) {
    const zeromq = await measure("zeromq", load, subscribers);
    rounds.push({ zeromq, own: await measure("own", load, subscribers) });
  }
  const medians = (contender: "zeromq" | "own") => ({
    cpu: median(rounds.map((round) => round[contender].cpu)),
    messagesPerSecond: median(rounds.map((round) => round[contender].messagesPerSecond)),
  });
  return {
    load: load.name,
    subscribers,
    zeromq: medians("zeromq"),
    own: medians("own"),
    ratio: median(rounds.map(({ zeromq, own }) => own.cpu / zeromq.cpu)),
  };
}

function format(rows: readonly Row[]): string {
  const head = ["batches of", "subscribers", "zeromq µs", "own µs", "ratio", "zeromq msg/s", "own msg/s"];
  const lines = rows.map(({ load, subscribers, zeromq, own, ratio }) => [
    load,
    String(subscribers),
    zeromq.cpu.toFixed(1),
    own.cpu.toFixed(1),
    ratio.toFixed(2),
    zeromq.messagesPerSecond.toFixed(0),
    own.messagesPerSecond.toFixed(0),
  ]);
  return `${alignColumns([head, ...lines]).join("\n")}\n`;
}

async function measure(contender: string, load: Load, count: number): Promise<Figures> {
  const { blocks, batches, pauseMs } = load;
  const program = fileURLToPath(new URL("publisher-process.ts", import.meta.url));
  const publisher = fork(program, [contender, blocks, batches, pauseMs].map(String));
  const gone = new AbortController();
  publisher.once("exit", () => gone.abort(new Error("The publisher has ended.")));
  const { signal } = gone;
  const [endpoint] = (await once(publisher, "message", { signal })) as [string];
  const followers = Array.from({ length: count }, () => follow(endpoint, batches));
  try {
    await Promise.all(followers.map(({ connected }) => connected));
    const start = performance.now();
    publisher.send("go");
    await Promise.all(followers.map(({ done }) => done));
    const seconds = (performance.now() - start) / 1000;
    publisher.send("stop");
    const [cpu] = (await once(publisher, "message", { signal })) as [number];
    return { cpu: cpu / batches, messagesPerSecond: batches / seconds };
  } finally {
    for (const { subscriber } of followers) subscriber.close();
    publisher.removeAllListeners("exit").kill();
  }
}

function follow(endpoint: string, batches: number) {
  const connected = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  let received = 0;
  const subscriber = new ZmqKvEventSubscriber({
    endpoint,
    onForget() {},
    onPayload(payload) {
      // The first messages only show that the connection is established.
      if (payload.length === 1) connected.resolve();
      else if (++received === batches) done.resolve();
    },
  });
  return { subscriber, connected: connected.promise, done: done.promise };
}
