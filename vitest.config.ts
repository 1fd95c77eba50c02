import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // A test waits for events; these bounds only end one that never comes, on a slow machine too.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Tests with a real model take both cores of a small machine; running two at once only makes each slower.
    maxWorkers: 2,
    setupFiles: ["vitest.setup.ts"],
    globalSetup: ["cli/e2e/fetch-model.ts"],
    include: ["**/*.test.ts"],
    // Other hosts have a configuration of their own, for `npm run test:hosts`.
    exclude: ["**/node_modules/**", "runtime-tests/**"],
  },
});
