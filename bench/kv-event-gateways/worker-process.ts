/** A process of `bench:kv-event-gateways`: a worker that publishes batches on request, and reports its CPU time. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger, decodeKvEvents, KvEventPublisher, kvEventsEndpoint } from "#runtime";
import { NatsKvEventPublisher, NatsKvEvents, serve } from "#runtime/node";
import { makeBatches } from "../router/event-batches.ts";

const [nats = "", blocks, count, perPause, pauseMs] = process.argv.slice(2);
const batches = makeBatches(Number(blocks), Number(count)).map((batch) => decodeKvEvents(batch).events);
const events = new KvEventPublisher();
const server = await serve("tcp:127.0.0.1:0", { [kvEventsEndpoint]: events.handler });
const stream = nats === "" ? undefined : await NatsKvEvents.open(nats);
const log = createLogger({ name: "worker", level: "error" });
const streamed = stream && new NatsKvEventPublisher(events, stream, log);
while (streamed?.isLive === false) await sleep(10);
process.send!({ address: server.address, subject: streamed?.subject });
process.on("message", async () => {
  const before = process.cpuUsage();
  for (const [index, batch] of batches.entries()) {
    events.publish(batch);
    if (index % Number(perPause) === 0) await sleep(Number(pauseMs));
  }
  await sleep(200);
  const { user, system } = process.cpuUsage(before);
  process.send!(user + system);
  if (process.execArgv.length) setTimeout(() => process.exit(0), 100);
});
