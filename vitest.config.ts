import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Folders whose tests start no processes. They share one process, which takes longer to start than their tests. */
const IN_PROCESS = [
  "bench",
  "gateway",
  "router-wasm",
  "runtime/generate",
  "runtime/discovery/kubernetes",
  "cli/options",
].map((folder) => `${folder}/**/*.test.ts`);
// Slow tests, native code and other hosts have their own configurations: `npm run test:slow`, `npm run test:native`, `npm run test:hosts`.
const exclude = ["**/node_modules/**", "**/*.{slow,fault,native}.test.ts", "runtime-tests/**"];

export default defineConfig({
  test: {
    // One more than the cores of a small machine, because files spend time waiting.
    maxWorkers: 3,
    // Where scripts/nixl.mjs installs NIXL. If it has not, NIXL's tests are skipped with a message.
    env: { NIXL_PREFIX: process.env.NIXL_PREFIX ?? join(import.meta.dirname, "runtime-tests/nixl/.venv") },
    setupFiles: [
      "vitest.setup.ts",
      "scripts/testing/folders.ts",
      "scripts/testing/bounds.ts",
      "scripts/testing/join-reaper.ts",
    ],
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"],
    // Only ends waits for conditions that never come true.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    projects: [
      {
        extends: true,
        test: { name: "alone", include: ["**/*.test.ts"], exclude: [...exclude, ...IN_PROCESS] },
      },
      { extends: true, test: { name: "together", include: IN_PROCESS, exclude, isolate: false } },
    ],
  },
});
