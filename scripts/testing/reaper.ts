/**
 * Kills processes that test files leave behind. Each test process holds a connection to this process; when it closes,
 * because the test process has ended or was killed, all processes that it started are killed.
 *
 *     node scripts/testing/reaper.ts SOCKET
 */
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { killMarked } from "./marked-processes.ts";

const path = process.argv[2]!;
/** Test files that are running or being reaped. */
const open = new Set<Promise<void>>();
let isOver = false;

const server = createServer((connection) => {
  const reaped = reapAfter(connection).finally(() => {
    open.delete(reaped);
    endWithLast();
  });
  open.add(reaped);
});
server.listen(path, () => process.send?.("ready"));

// A terminal sends these signals to all processes; the reaper must survive them.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
// Vitest has ended, and with it its workers, even if it was killed.
process.on("disconnect", () => {
  isOver = true;
  endWithLast();
});

/** Reads a file's mark and name until the connection closes, and then kills its processes. */
async function reapAfter(connection: Socket): Promise<void> {
  const sent = await text(connection).catch(() => "");
  const [mark, file] = sent.split("\n");
  if (!mark) return;
  for (const [pid, command] of await killMarked(mark))
    console.error(`${file} left process ${pid} behind, which was killed: ${command.slice(0, 200)}`);
}

function endWithLast(): void {
  if (!isOver || open.size > 0) return;
  rmSync(path, { force: true });
  process.exit(0);
}
