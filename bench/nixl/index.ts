/**
 * Transfers between two processes on this host, as a ratio of one process's memcpy in the same run: NIXL, shared memory
 * and TCP. `--json` prints `{sizes: [{bytes, of_memcpy, microseconds}], scatter, fallbacks}`; `--kinds nixl,tcp` selects.
 */
import { parseArgs } from "node:util";
import type { TransferKind } from "#native";
import { type KindMeasured, type Measured, measureKind } from "./measure.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    kinds: { type: "string", default: "nixl,shared-memory,tcp" },
  },
});
const results = new Map<TransferKind, KindMeasured>();
for (const kind of values.kinds.split(",") as TransferKind[]) {
  const measured = await measureKind(kind);
  results.set(kind, measured);
  if (!values.json) print(kind, measured);
}
const { nixl, ...fallbacks } = Object.fromEntries(results);
if (values.json) console.log(JSON.stringify({ ...nixl, fallbacks }));

function print(kind: string, { sizes, scatter }: KindMeasured): void {
  const row = (name: string, { bytes, of_memcpy, microseconds }: Measured) =>
    console.log(
      `${name.padStart(22)} ${String(microseconds).padStart(9)} µs ${(bytes / microseconds / 1e3).toFixed(2).padStart(6)} GB/s  ${of_memcpy} of memcpy`,
    );
  console.log(`${kind}: reads from another process`);
  for (const size of sizes) row(`${size.bytes / 1024} KiB`, size);
  row("1,000 blocks of 32 KiB", scatter);
}
