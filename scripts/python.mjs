// Makes a virtual environment with pinned packages for tests that drive Python. Runs on the machine's own Node
// (20 or newer) and imports nothing that has to be installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installByApt, run } from "./apt.mjs";
import { cacheFolder, Stop, withLock } from "./install.mjs";

/**
 * Makes `folder`'s .venv match its requirements.txt; exits with a sentence where that fails. Where Python's own
 * venv is missing (Debian packs it apart) and this is root, it is installed by apt-get.
 * @param cmakeArgs what packages are compiled with: then there must be a C++ compiler too, and is got the same way
 */
export async function ensurePython(folder, what, cmakeArgs) {
  const environment = join(folder, ".venv");
  const requirements = join(folder, "requirements.txt");
  const stamp = join(environment, ".stator-installed");
  const wanted = hashOf(readFileSync(requirements), cmakeArgs ?? "");
  const python = join(environment, "bin", "python");
  // A Python that has gone leaves a link to nothing.
  const isCurrent = () => existsSync(python) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  if (isCurrent()) return;
  await withLock(join(folder, ".stator-install.lock"), async () => {
    if (isCurrent()) return;
    console.error(what);
    if (cmakeArgs !== undefined) await ensureCompiler();
    rmSync(environment, { recursive: true, force: true });
    if (!(await makes(environment))) {
      await installByApt("python3", "python3-venv");
      rmSync(environment, { recursive: true, force: true });
      if (!(await makes(environment)))
        fail("python3 -m venv failed; what it says above tells why. Install Python 3.9 or newer with venv.");
    }
    const pip = [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--no-compile",
      // Pip's own cache would bring what was compiled with other arguments.
      ...(cmakeArgs === undefined
        ? []
        : ["--cache-dir", join(cacheFolder(), `pip-${hashOf(cmakeArgs).slice(0, 12)}`)]),
      "-r",
      requirements,
    ];
    const env = cmakeArgs === undefined ? process.env : { ...process.env, CMAKE_ARGS: cmakeArgs };
    if (!(await run(python, pip, env)))
      fail("pip could not install the packages; what it says above tells why.");
    writeFileSync(stamp, wanted);
  });
}

function hashOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

const makes = (environment) => run("python3", ["-m", "venv", environment]);

async function ensureCompiler() {
  const isThere = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  if (isThere("c++") && isThere("make")) return;
  await installByApt("g++", "make");
}

function fail(sentence) {
  console.error(sentence);
  throw new Stop(1);
}
