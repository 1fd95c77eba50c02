import { join } from "node:path";
import { defineConfig } from "vitest/config";

const ofProject = (path: string) => join(import.meta.dirname, "..", path);

/** Separate from the main tests, because these need hosts that only `npm run test:hosts` installs. */
export default defineConfig({
  test: {
    dir: join(import.meta.dirname),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/.venv/**", "**/vllm/**", "**/clients/**"],
    globalSetup: [ofProject("scripts/testing/global-setup.ts")],
    setupFiles: ["clean-up", "join-reaper"].map((name) => ofProject(`scripts/testing/${name}.ts`)),
  },
});
