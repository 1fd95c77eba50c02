import { defineConfig } from "vitest/config";

/** Apart from the main tests, because these need the real vLLM that only `npm run test:vllm` installs. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    testTimeout: 120_000,
    hookTimeout: 600_000,
    include: ["*.test.ts"],
    // They share two servers and two cores, and the last of them kill one.
    fileParallelism: false,
  },
});
