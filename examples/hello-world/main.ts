/**
 * Two processes: one serves, the other calls it and prints the words as they come.
 *
 *     npm run example examples/hello-world
 *     npm run example examples/hello-world -- --discovery etcd://127.0.0.1:2379
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { discovery: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "hello-world-"));
const args = ["--discovery", values.discovery ?? `file:${folder}`];

const file = (name: string) => new URL(name, import.meta.url);
const server = fork(file("serve.ts"), [...args, "--log-level", "warn"]);
const client = fork(file("call.ts"), args);
const [code] = await once(client, "exit");
server.kill("SIGTERM");
if (server.exitCode === null) await once(server, "exit");
rmSync(folder, { recursive: true });
process.exitCode = code ?? 1;
