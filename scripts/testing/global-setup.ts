import { fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The variable with the reaper's socket, which test processes inherit. */
export const REAPER = "TEST_REAPER";

/** Before all tests, starts the reaper, which outlives Vitest until all processes started by tests have ended. */
export default async function setup(): Promise<() => Promise<void>> {
  const path = join(tmpdir(), `stator-reaper-${process.pid}.sock`);
  // In its own process group, so that signals to this one do not end it.
  const reaper = fork(join(import.meta.dirname, "reaper.ts"), [path], { detached: true, execArgv: [] });
  await once(reaper, "message");
  process.env[REAPER] = path;
  // Caches compiled TypeScript for the processes that tests start.
  process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "../../node_modules/.cache/stator");
  // If `npm test` is killed, the tests end too.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref();
  return async () => {
    const exited = once(reaper, "exit");
    reaper.disconnect();
    await exited;
  };
}
