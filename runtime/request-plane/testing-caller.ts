// Calls the endpoint `wait` at the address given, and waits: `node testing-caller.ts ADDRESS PING_MS [NATS_URL]`.
import { connect } from "./client.ts";

const [, , address = "", pingMs, nats] = process.argv;
const client = await connect(address, { pingMs: Number(pingMs), nats });
client.call("wait", new Uint8Array(0), {
  onMessage: () => {},
  onEnd: () => {},
  onError: () => process.exit(),
});
