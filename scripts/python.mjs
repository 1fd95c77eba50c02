// Creates a virtual environment with pinned packages for tests that use Python. Runs on the system's Node (20 or
// newer) and imports nothing that has to be installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installByApt, run } from "./apt.mjs";
import { cacheFolder, Stop, withLock } from "./install.mjs";

/**
 * Makes `folder`'s .venv match its requirements.txt. If Python's venv module is missing (a separate package in Debian)
 * and this runs as root, it is installed with apt-get.
 * @param cmakeArgs CMake arguments for packages that are compiled; a C++ compiler is then installed in the same way
 * @param pipArgs more arguments for `pip install`
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensurePython(folder, what, cmakeArgs, pipArgs = []) {
  const environment = join(folder, ".venv");
  const requirements = join(folder, "requirements.txt");
  const stamp = join(environment, ".stator-installed");
  const wanted = hashOf(readFileSync(requirements), cmakeArgs ?? "");
  const python = join(environment, "bin", "python");
  // A Python that was removed leaves a dangling link.
  const isCurrent = () => existsSync(python) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  if (isCurrent()) return;
  await withLock(join(folder, ".stator-install.lock"), async () => {
    if (isCurrent()) return;
    console.error(what);
    if (cmakeArgs !== undefined) await ensureCompiler("c++", "make");
    rmSync(environment, { recursive: true, force: true });
    if (!(await createVenv(environment))) {
      await installByApt("python3", "python3-venv");
      rmSync(environment, { recursive: true, force: true });
      if (!(await createVenv(environment)))
        fail("python3 -m venv failed; see its output above. Install Python 3.9 or newer with venv.");
    }
    const pip = [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--no-compile",
      ...pipArgs,
      // pip's default cache may have packages that were compiled with other arguments.
      ...(cmakeArgs === undefined
        ? []
        : ["--cache-dir", join(cacheFolder(), `pip-${hashOf(cmakeArgs).slice(0, 12)}`)]),
      "-r",
      requirements,
    ];
    const env = cmakeArgs === undefined ? process.env : { ...process.env, CMAKE_ARGS: cmakeArgs };
    if (!(await run(python, pip, env))) fail("pip could not install the packages; see its output above.");
    writeFileSync(stamp, wanted);
  });
}

function hashOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

const createVenv = (environment) => run("python3", ["-m", "venv", environment]);

/** Installs a C++ compiler, and `make` if asked for, with apt-get if missing and possible. */
export async function ensureCompiler(...commands) {
  const isInstalled = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  const missing = commands.filter((command) => !isInstalled(command));
  if (missing.length > 0)
    await installByApt(...missing.map((command) => (command === "c++" ? "g++" : command)));
}

function fail(message) {
  console.error(message);
  throw new Stop(1);
}
