/**
 * A gateway's part that shares load, as a process: `node peer.ts DISCOVERY send|receive`. The sender books load once in a
 * while, with the time in its amount; the receiver prints how many microseconds later it has it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayPeers } from "#gateway";
import { createLogger, randomId } from "#runtime";
import { connect, openDiscovery, serve } from "#runtime/node";

const [, , url = "", role] = process.argv;
const COUNT = 500;

/** Microseconds on a clock that all processes of this machine share. */
const now = () => Number(process.hrtime.bigint() / 1_000n);

const discovery = await openDiscovery(url);
const peers = new GatewayPeers({
  discovery,
  id: randomId(),
  async serve(handlers) {
    const server = await serve("tcp:127.0.0.1:0", handlers);
    return { server, address: server.address };
  },
  connect,
  defer: setImmediate,
  log: createLogger({ name: "peer", write: () => {} }),
});
const loads = peers.loadsOf("model");
let booked = 0;
const delays: number[] = [];
loads.router = {
  ownLoad: () => ({ prefillTokens: booked, decodeBlocks: 1, requests: 1 }),
  setBooked(_worker, _rank, { prefillTokens }) {
    if (role === "receive" && prefillTokens > 0 && prefillTokens !== booked)
      delays.push(now() - prefillTokens);
    if (role === "receive") booked = prefillTokens;
  },
};
await peers.open();
while (peers.count === 0) await sleep(10);

if (role === "send") {
  for (let count = 0; count < COUNT; count++) {
    await sleep(5);
    booked = now();
    loads.changed("worker", 0);
  }
} else {
  while (delays.length < COUNT * 0.9) await sleep(50);
  process.stdout.write(JSON.stringify(delays));
}
await peers.close();
await discovery.close();
