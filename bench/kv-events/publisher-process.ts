/** A process of `bench:kv-events`: publishes batches over ZeroMQ on request, and reports the CPU time used. */
import { setTimeout as sleep } from "node:timers/promises";
import { ZmqKvEventPublisher } from "#runtime/node";
import { makeBatches } from "../router/event-batches.ts";
import { ZeromqPublisher } from "./zeromq-publisher.ts";

const [contender, blocks, count, pauseMs] = process.argv.slice(2);
const batches = makeBatches(Number(blocks), Number(count));
const options = { endpoint: "tcp://127.0.0.1:0" };
const publisher = await (contender === "zeromq"
  ? ZeromqPublisher.open(options)
  : ZmqKvEventPublisher.open(options));
process.send!(publisher.endpoint);
// Repeated until all subscribers have received one, which shows that they are connected.
const calling = setInterval(() => publisher.publish(Uint8Array.of(0)), 5);
let before: NodeJS.CpuUsage;
process.on("message", async (what) => {
  if (what === "stop") {
    const { user, system } = process.cpuUsage(before);
    process.send!(user + system);
    return;
  }
  clearInterval(calling);
  before = process.cpuUsage();
  for (const batch of batches) {
    publisher.publish(batch);
    if (Number(pauseMs) > 0) await sleep(Number(pauseMs));
  }
});
