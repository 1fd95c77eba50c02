import { defineConfig } from "vitest/config";

/** For `npm run fuzz:…`: one file of property tests in a single process, so that killing it leaves nothing behind. */
export default defineConfig({
  test: {
    include: ["router-wasm/model.test.ts", "**/*.oracle.test.ts"],
    testTimeout: 600_000,
    setupFiles: ["vitest.setup.ts"],
    pool: "threads",
  },
});
