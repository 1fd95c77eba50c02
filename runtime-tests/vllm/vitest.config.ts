import { join } from "node:path";
import { defineConfig } from "vitest/config";

const ofProject = (path: string) => join(import.meta.dirname, "../..", path);

/** Separate from the main tests, because these need the real vLLM that only `npm run test:vllm` installs. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    include: ["*.test.ts"],
    // They share two servers and two cores, and the last ones kill a server.
    fileParallelism: false,
    globalSetup: [ofProject("scripts/testing/global-setup.ts")],
    setupFiles: ["clean-up", "join-reaper"].map((name) => ofProject(`scripts/testing/${name}.ts`)),
  },
});
