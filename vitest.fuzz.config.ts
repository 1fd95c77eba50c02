import { defineConfig } from "vitest/config";

/** For `npm run fuzz:router`: one property test, in one process, so that killing it leaves nothing behind. */
export default defineConfig({
  test: {
    include: ["router-wasm/model.test.ts"],
    setupFiles: ["vitest.setup.ts"],
    pool: "threads",
  },
});
