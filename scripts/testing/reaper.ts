/**
 * Ends what test files leave behind. A process beside Vitest's, to which each test file's process holds a connection:
 * when that closes, in good order or because the process was killed, whatever the file started is killed.
 *
 *     node scripts/testing/reaper.ts SOCKET
 */
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { killMarked } from "./marked-processes.ts";

const path = process.argv[2]!;
/** Files whose processes are there, or are being reaped. */
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

// A terminal sends these to all, also to those whose processes are to be reaped.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
// Vitest has ended. It takes its workers with it, when it is killed too.
process.on("disconnect", () => {
  isOver = true;
  endWithLast();
});

/** A file says its mark and its name. */
async function reapAfter(connection: Socket): Promise<void> {
  const said = await text(connection).catch(() => "");
  const [mark, file] = said.split("\n");
  if (!mark) return;
  for (const [pid, command] of await killMarked(mark))
    console.error(`${file} left process ${pid} behind, which was killed: ${command.slice(0, 200)}`);
}

function endWithLast(): void {
  if (!isOver || open.size > 0) return;
  rmSync(path, { force: true });
  process.exit(0);
}
