import { defineConfig } from "vitest/config";

/** Folders whose tests start no process: they share one, for each would take longer to start than its tests. */
const IN_PROCESS = [
  "bench",
  "gateway",
  "router-wasm",
  "runtime/generate",
  "runtime/discovery/kubernetes",
  "cli/options",
].map((folder) => `${folder}/**/*.test.ts`);
// What takes longer, and other hosts, have configurations of their own: `npm run test:slow`, `npm run test:hosts`.
const exclude = ["**/node_modules/**", "**/*.slow.test.ts", "runtime-tests/**"];

export default defineConfig({
  test: {
    // One more than a small machine has cores: while one file waits, another works.
    maxWorkers: 3,
    setupFiles: ["vitest.setup.ts", "scripts/testing/bounds.ts", "scripts/testing/join-reaper.ts"],
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"],
    // As with a test's own bound: it only ends a wait for what never comes.
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
