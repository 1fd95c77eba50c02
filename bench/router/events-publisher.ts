/** A process of `bench:router --events`: publishes batches over ZeroMQ when it is told to. */
import { ZmqKvEventPublisher } from "#runtime/node";
import { makeBatches } from "./event-batches.ts";

const batches = makeBatches(Number(process.argv[2]), Number(process.argv[3]));
const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:0" });
process.send!(publisher.endpoint);
// Until the subscriber has heard one, it may not be connected.
const calling = setInterval(() => publisher.publish(Uint8Array.of(0)), 5);
// Heard on to the end: the channel keeps this process alive.
process.on("message", () => {
  clearInterval(calling);
  for (const batch of batches) publisher.publish(batch);
});
