import { fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the reaper listens; test files' processes inherit it. */
export const REAPER = "TEST_REAPER";

/** Before all tests: starts the reaper, which outlives Vitest until what the tests started is gone. */
export default async function setup(): Promise<() => Promise<void>> {
  const path = join(tmpdir(), `stator-reaper-${process.pid}.sock`);
  // A process group of its own: what is sent to this one is not to end it.
  const reaper = fork(join(import.meta.dirname, "reaper.ts"), [path], { detached: true, execArgv: [] });
  await once(reaper, "message");
  process.env[REAPER] = path;
  // What Node makes of our TypeScript is kept, so that each process that a test starts does not make it anew.
  process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "../../node_modules/.cache/stator");
  // Where `npm test` is killed, nobody waits for the tests any more.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref();
  return async () => {
    const exited = once(reaper, "exit");
    reaper.disconnect();
    await exited;
  };
}
