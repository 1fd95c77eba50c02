// `npm start` and `npm run stator -- COMMAND`: installs and builds what is missing, then runs the `stator`
// command on the pinned Node. Runs itself on the machine's own Node (20 or newer).
import { spawn } from "node:child_process";
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, pinnedNode, root } from "./install.mjs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(`Stator needs Node 20 or newer to start; this is ${process.version}.`);
  process.exit(1);
}

ensureInstalled();
await buildWasm();

// An IPC channel tells the command when this process is killed, so that nothing outlives it.
const child = spawn(pinnedNode, [join(root, "cli", "main.ts"), ...process.argv.slice(2)], {
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});
child.on("exit", (code, signal) => process.exit(signal ? 128 : (code ?? 1)));

// Ctrl-C reaches the whole foreground process group, the command included; a signal to this process alone is
// passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));

// npm does not take its scripts with it when it is killed.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), 1_000).unref();
}
