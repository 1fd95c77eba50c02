import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests that need a process of their own: native code, and those of processes' own state. */
const ALONE = ["native", "scripts", "workers/llama", "cli/up"].map((folder) => `${folder}/**/*.test.ts`);
// Slow tests, native code and other hosts have their own configurations: `npm run test:slow`, `npm run test:native`, `npm run test:hosts`.
const exclude = ["**/node_modules/**", "**/*.{slow,fault,native}.test.ts", "runtime-tests/**"];

export default defineConfig({
  test: {
    // At least twice the cores of a small machine, because files spend time waiting.
    maxWorkers: Math.max(4, availableParallelism()),
    // On few cores, threads that collect garbage spend more processor time on waiting for each other than they save, and
    // frequent collections cost more than memory.
    execArgv: ["--single-threaded-gc", "--min-semi-space-size=16", "--max-semi-space-size=64"],
    // Where scripts/nixl.mjs installs NIXL. If it has not, NIXL's tests are skipped with a message.
    env: { NIXL_PREFIX: process.env.NIXL_PREFIX ?? join(import.meta.dirname, "runtime-tests/nixl/.venv") },
    setupFiles: [
      "vitest.setup.ts",
      "scripts/testing/clean-up.ts",
      "scripts/testing/bounds.ts",
      "scripts/testing/join-reaper.ts",
    ],
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"],
    // Only ends waits for conditions that never come true.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    projects: [
      {
        extends: true,
        test: { name: "alone", include: ALONE, exclude },
      },
      // Loading a file's imports takes longer than most tests, so files share processes.
      {
        extends: true,
        test: {
          name: "together",
          include: ["**/*.test.ts"],
          exclude: [...exclude, ...ALONE],
          isolate: false,
        },
      },
    ],
  },
});
