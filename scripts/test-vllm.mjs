// `npm run test:vllm`: installs a real vLLM and runs the tests of `stator attach` with two of its servers. Arguments
// go to Vitest. --install-only only installs; with --skip-where-impossible, a machine that cannot run vLLM is not a
// failure.
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensureVllmIfPossible, vllmTests } from "./vllm.mjs";

const own = ["--install-only", "--skip-where-impossible"];

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  const python = await ensureVllmIfPossible();
  if (python === undefined || process.argv.includes("--install-only")) return 0;
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = process.argv.slice(2).filter((argument) => !own.includes(argument));
  return runToEnd(pinnedNode, [vitest, "run", "--config", join(vllmTests, "vitest.config.ts"), ...args], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, VLLM_PYTHON: python },
  });
});
