/**
 * An echo that starts once the file in GATE exists, and whose process exits the first time that its health is read if
 * the file in DEATH does not exist yet.
 */
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineWorker, loadWorker } from "#workers";

const echo = await loadWorker("echo");
const { GATE, DEATH } = process.env;

export default defineWorker({
  name: "frail",
  async open(context) {
    while (GATE !== undefined && !existsSync(GATE)) await sleep(10);
    const engine = await echo.open(context);
    return {
      ...engine,
      generate: (request, signal) => engine.generate(request, signal),
      stats() {
        if (DEATH !== undefined && !existsSync(DEATH)) {
          writeFileSync(DEATH, "");
          process.exit(1);
        }
        return engine.stats();
      },
      close: () => engine.close(),
    };
  },
});
