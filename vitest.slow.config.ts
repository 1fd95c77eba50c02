import { defineConfig } from "vitest/config";
import main from "./vitest.config.ts";

const { projects: _, ...shared } = main.test ?? {};

/** For `npm run test:slow`: tests that are too slow for `npm test`, and property tests with more cases. */
export default defineConfig({
  test: {
    ...shared,
    include: [
      "**/*.slow.test.ts",
      "router-wasm/{exhaustion,merge,model,snapshot}.test.ts",
      "gateway/adapters/node/{requests,http/answers}.oracle.test.ts",
      "gateway/grammars/random-schemas.test.ts",
      "gateway/routing/cache/event-batch.test.ts",
      "cli/e2e/workers/resumable.test.ts",
    ],
    exclude: ["**/node_modules/**", "runtime-tests/**"],
    // `npm run fuzz:router` runs more.
    env: { FUZZ_RUNS: "500" },
  },
});
