// A process for the lifecycle tests: `node testing-process.ts MODE`.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { manageLifecycle } from "./lifecycle.ts";
import { createLogger } from "./log.ts";

const mode = process.argv[2];

if (mode === "supervisor") {
  // Its child writes to the same output, which therefore ends with the later of the two.
  fork(fileURLToPath(import.meta.url), ["supervised"], { stdio: ["ignore", "inherit", "ignore", "ipc"] });
  setInterval(() => {}, 60_000);
} else {
  const log = createLogger({ name: "test", level: "debug" });
  const deadlineMs = mode === "slow" ? 50 : 60_000;
  const lifecycle = manageLifecycle({
    log,
    deadlineMs,
    supervised: mode === "supervised",
    // Long enough that a slow machine does not turn one stop into two.
    sameStopMs: mode === "twice" ? 60_000 : 0,
  });
  lifecycle.onShutdown("first", async (remainingMs) => {
    console.log("first", remainingMs > 0 && remainingMs <= deadlineMs);
    if (mode === "hang" || mode === "slow") await new Promise(() => {});
    if (mode === "fail") throw new Error("step broke");
    // The second signal of the same stop arrives during this step.
    if (mode === "twice") await new Promise((resolve) => process.once("SIGTERM", resolve));
    await new Promise((resolve) => setImmediate(resolve));
  });
  lifecycle.onShutdown("second", () => console.log("second"));
  setInterval(() => {}, 60_000);
  console.log("ready", process.pid);
  if (mode === "reject") void Promise.reject(new Error("not caught"));
  if (mode === "throw") {
    setImmediate(() => {
      throw new Error("not caught");
    });
  }
}
