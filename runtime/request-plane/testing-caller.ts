// Calls the endpoint `wait` at the address given, and waits: `node testing-caller.ts unix:/path PING_MS`.
import { connect } from "./client.ts";

const [, , address = "", pingMs] = process.argv;
const client = await connect(address, { pingMs: Number(pingMs) });
client.call("wait", new Uint8Array(0), {
  onMessage: () => {},
  onEnd: () => {},
  onError: () => process.exit(),
});
