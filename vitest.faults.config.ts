import { defineConfig } from "vitest/config";
import main from "./vitest.config.ts";

const { projects: _, ...shared } = main.test ?? {};

/** For `npm run test:faults`: faults under load, one at a time, each with a line of counts. */
export default defineConfig({
  test: {
    ...shared,
    include: ["**/*.fault.test.ts"],
    exclude: ["**/node_modules/**"],
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    disableConsoleIntercept: true,
  },
});
