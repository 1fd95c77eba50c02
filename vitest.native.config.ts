import { defineConfig } from "vitest/config";
import main from "./vitest.config.ts";

const { projects: _, ...shared } = main.test ?? {};

/** For `npm run test:native`: the tests of native code, in a Node with a sanitizer. */
export default defineConfig({
  test: {
    ...shared,
    include: ["native/nixl/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
  },
});
