/** A process of `bench:router --events`: publishes batches over ZeroMQ on request. */
import { ZmqKvEventPublisher } from "#runtime/node";
import { makeBatches } from "./event-batches.ts";

const batches = makeBatches(Number(process.argv[2]), Number(process.argv[3]));
const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:0" });
process.send!(publisher.endpoint);
// Repeated until the subscriber has received one, which shows that it is connected.
const calling = setInterval(() => publisher.publish(Uint8Array.of(0)), 5);
// The listener keeps the channel, and thus this process, alive.
process.on("message", () => {
  clearInterval(calling);
  for (const batch of batches) publisher.publish(batch);
});
