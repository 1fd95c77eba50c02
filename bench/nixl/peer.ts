/** The other process of the benchmark: an agent with one memory, until its parent disconnects. */
import { openTransferAgent, type TransferKind } from "#native";

const [kind, bytes] = process.argv.slice(2) as [TransferKind, string];
const agent = await openTransferAgent({ kind, name: "bench-peer" });
const memory = await agent.allocate(Number(bytes));
memory.buffer!.fill(1);
process.once("disconnect", () => void agent[Symbol.asyncDispose]());
process.send!({ metadata: agent.metadata(), descriptor: memory.descriptor() });
