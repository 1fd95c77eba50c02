/** A process of `bench:kv-event-gateways`: a gateway that follows a worker's KV events, and reports its CPU time. */
import { subscribeKvEvents, subscribeToStream } from "#runtime";
import { connect, NatsKvEvents } from "#runtime/node";

const [nats = "", subject = "", address = "", count] = process.argv.slice(2);
let received = 0;
let before: NodeJS.CpuUsage | undefined;
const callbacks = {
  onCleared() {},
  onPayload() {
    before ??= process.cpuUsage();
    if (++received < Number(count)) return;
    const { user, system } = process.cpuUsage(before);
    process.send!(user + system);
  },
};
const client = await connect(address);
const subscription =
  nats === ""
    ? subscribeKvEvents(client, callbacks)
    : subscribeToStream({
        stream: await NatsKvEvents.open(nats),
        subject,
        client,
        callbacks,
        onUnreadable() {},
      });
while (subscription.position === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
process.send!("ready");
