/**
 * `npm run bench:kv-events`: what it costs to publish KV events over ZeroMQ, beside the library zeromq in the place of our
 * own sockets. Prints the publishing process's CPU, all threads, and messages a second from there to the last of the
 * subscribers, which are all in this process.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ZmqKvEventSubscriber } from "#runtime";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";

interface Load {
  name: string;
  /** In each batch. */
  blocks: number;
  batches: number;
  pauseMs: number;
}

interface Figures {
  /** Microseconds a message. */
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
const CONTENDERS = ["zeromq", "own"] as const;
const ROUNDS = 5;

const rows = [["batches of", "subscribers", "zeromq µs", "own µs", "ratio", "zeromq msg/s", "own msg/s"]];
for (const load of LOADS) {
  for (const subscribers of SUBSCRIBERS) {
    const rounds: Record<(typeof CONTENDERS)[number], Figures>[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const zeromq = await measure("zeromq", load, subscribers);
      rounds.push({ zeromq, own: await measure("own", load, subscribers) });
    }
    const of = (read: (round: (typeof rounds)[number]) => number) => median(rounds.map(read));
    rows.push([
      load.name,
      String(subscribers),
      of(({ zeromq }) => zeromq.cpu).toFixed(1),
      of(({ own }) => own.cpu).toFixed(1),
      of(({ zeromq, own }) => own.cpu / zeromq.cpu).toFixed(2),
      of(({ zeromq }) => zeromq.messagesPerSecond).toFixed(0),
      of(({ own }) => own.messagesPerSecond).toFixed(0),
    ]);
  }
}
console.log(alignColumns(rows).join("\n"));

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
      // What comes first only says that the connection stands.
      if (payload.length === 1) connected.resolve();
      else if (++received === batches) done.resolve();
    },
  });
  return { subscriber, connected: connected.promise, done: done.promise };
}
