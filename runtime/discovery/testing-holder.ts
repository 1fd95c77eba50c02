// Holds an entry in a directory until it is killed: `node testing-holder.ts DIRECTORY KEY TTL_MS [COUNT]`.
// With COUNT, it puts that many values, one after another.
import { openDiscovery } from "./open.ts";

const [directory, key = "", ttlMs, count] = process.argv.slice(2);
const discovery = await openDiscovery(`file:${directory}`);
const lease = await discovery.lease({ ttlMs: Number(ttlMs) });
for (let value = 0; value < Number(count ?? 1); value++) await discovery.put(key, value, lease);
console.log(lease.id);
setInterval(() => {}, 60_000);
