/** For tests: starts transfers and ends without releasing anything, or stays in the middle of them (`stay`). */
import { parentPort } from "node:worker_threads";
import { openTransferAgent } from "../index.ts";

const BYTES = 64 * 2 ** 20;

const one = await openTransferAgent({ kind: "nixl", name: "one" });
const other = await openTransferAgent({ kind: "nixl", name: "other" });
const [local, remote] = [await one.allocate(BYTES), await other.allocate(BYTES)];
const peer = await one.connect(other.metadata());
const read = () => peer.read({ local, remote: remote.descriptor() });
await read();
if (process.argv.at(-1) === "stay") {
  parentPort!.postMessage("running");
  while (true) await read();
}
void read();
process.exit(7);
