import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Tests with a real model take both cores of a small machine; running two at once only makes each slower.
    maxWorkers: 2,
    setupFiles: ["vitest.setup.ts", "scripts/testing/bounds.ts", "scripts/testing/join-reaper.ts"],
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"],
    // As with a test's own bound: it only ends a wait for what never comes.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    include: ["**/*.test.ts"],
    // What takes longer, and other hosts, have configurations of their own: `npm run test:slow`, `npm run test:hosts`.
    exclude: ["**/node_modules/**", "**/*.slow.test.ts", "runtime-tests/**"],
  },
});
