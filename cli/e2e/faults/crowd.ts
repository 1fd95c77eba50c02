/** Many counting workers in one process: `node crowd.ts DISCOVERY NAME COUNT`. They leave on SIGTERM. */
import { once } from "node:events";
import { createLogger } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { startWorker } from "#workers";
import definition from "./counting-worker.ts";

const [, , url = "", name = "", count = "1"] = process.argv;
const log = createLogger({ name, level: "warn" });
const discovery = await openDiscovery(url);
const workers = await Promise.all(
  Array.from({ length: Number(count) }, (_, index) =>
    startWorker({
      definition,
      engineOptions: {},
      threads: 1,
      discovery,
      namespace: "default",
      name: `${name}-${index}`,
      listen: "tcp:127.0.0.1:0",
      opsPort: 0,
      log,
    }),
  ),
);
console.log("ready");
await once(process, "SIGTERM");
await Promise.all(workers.map((worker) => worker.drain({ withinMs: 0, deadlineMs: 10_000 })));
await discovery.close();
process.exit();
