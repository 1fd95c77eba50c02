import { join } from "node:path";
import { defineConfig } from "vitest/config";

const ofProject = (path: string) => join(import.meta.dirname, "../..", path);

/** Separate from the main tests, because these need packages that only `npm run test:clients` installs. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["*.test.ts"],
    exclude: [
      "**/node_modules/**",
      "**/.venv/**",
      // Needs the real vLLM of `npm run test:clients -- --vllm`.
      ...(process.env.VLLM_PYTHON === undefined ? ["vllm.test.ts"] : []),
    ],
    // They share two cores with their servers.
    fileParallelism: false,
    // Relative paths would be relative to the working directory of Vitest.
    globalSetup: ["scripts/testing/global-setup.ts", "cli/e2e/fetch-model.ts"].map(ofProject),
    setupFiles: ["clean-up", "join-reaper"].map((name) => ofProject(`scripts/testing/${name}.ts`)),
  },
});
