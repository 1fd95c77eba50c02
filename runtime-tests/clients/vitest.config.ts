import { join } from "node:path";
import { defineConfig } from "vitest/config";

const ofProject = (path: string) => join(import.meta.dirname, "../..", path);

/** Apart from the main tests, because these need what only `npm run test:clients` installs. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["*.test.ts"],
    exclude: ["**/node_modules/**", "**/.venv/**"],
    // They share two cores with the servers that they ask.
    fileParallelism: false,
    // A relative path would be taken from where Vitest was started.
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"].map(ofProject),
    setupFiles: [ofProject("scripts/testing/join-reaper.ts")],
  },
});
