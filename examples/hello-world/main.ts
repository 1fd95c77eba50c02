/**
 * Two processes: one serves, the other calls it and prints the words as they come.
 *
 *     npm run example examples/hello-world
 *     npm run example examples/hello-world -- --discovery etcd://127.0.0.1:2379
 */
import { fork, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { discovery: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "hello-world-"));
const args = ["--discovery", values.discovery ?? `file:${folder}`];

const file = (name: string) => new URL(name, import.meta.url);
// What is wrong would be wrong for both: it is printed once, at the end.
const stdio: StdioOptions = ["ignore", "inherit", "pipe", "ipc"];
const server = fork(file("serve.ts"), [...args, "--log-level", "warn"], { stdio });
const client = fork(file("call.ts"), args, { stdio });
const errors = Promise.all([text(server.stderr!), text(client.stderr!)]);
const ended = Promise.all([once(server, "close"), once(client, "close")]);
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const stopped = Promise.race(signals.map((signal) => once(process, signal)));
await Promise.race([once(server, "exit"), once(client, "exit"), stopped]);
for (const each of [server, client]) each.kill("SIGTERM");
await ended;
rmSync(folder, { recursive: true });
process.stderr.write((await errors).find((printed) => printed !== "") ?? "");
process.exitCode = client.exitCode ?? 1;
