import { existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { TransferError } from "../errors.ts";

/** A libnixl_capi.so, and where it was found, for logs. */
export interface NixlInstallation {
  readonly library: string;
  readonly why: string;
}

const LIBRARY = "libnixl_capi.so";
/** The folder of the libraries in a wheel: `.nixl_cu12.mesonpy.libs`, for example. */
const WHEEL_LIBRARIES = /^\.?nixl[\w.]*\.libs$/;

/**
 * Finds NIXL: the configured path, then `NIXL_PREFIX`, then the Python environments of this machine.
 * @throws TransferError `unavailable`, with what was searched; a configured place that has none is not searched past
 */
export function findNixl(configured: string | undefined, environment = process.env): NixlInstallation {
  if (process.platform !== "linux") throw new TransferError("unavailable", "NIXL runs only on Linux.");
  if (configured !== undefined) {
    if (existsSync(configured)) return { library: configured, why: "its library is configured" };
    throw new TransferError("unavailable", `The configured NIXL library ${configured} does not exist.`);
  }
  const { NIXL_PREFIX } = environment;
  if (NIXL_PREFIX) {
    const library = inPrefix(NIXL_PREFIX);
    if (library !== undefined) return { library, why: `found through NIXL_PREFIX in ${NIXL_PREFIX}` };
    throw new TransferError("unavailable", `NIXL_PREFIX is ${NIXL_PREFIX}, but ${LIBRARY} is not there.`);
  }
  for (const prefix of pythonPrefixes(environment)) {
    const library = inPython(prefix);
    if (library !== undefined) return { library, why: `found in the Python environment ${prefix}` };
  }
  const message = `${LIBRARY} was not found: install it with pip install nixl, or set NIXL_PREFIX to where it is. It needs the addon too: npm run build:native.`;
  throw new TransferError("unavailable", message);
}

/** An installation's own prefix, a Python environment, its site-packages, or the folder of the library itself. */
function inPrefix(prefix: string): string | undefined {
  const folders = [
    prefix,
    ...["lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"].map((name) => join(prefix, name)),
  ];
  return (
    folders.map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path)) ??
    inSitePackages(prefix) ??
    inPython(prefix)
  );
}

function inPython(prefix: string): string | undefined {
  for (const lib of ["lib", "lib64", "local/lib"]) {
    for (const python of list(join(prefix, lib)).filter((name) => /^python3/.test(name))) {
      for (const packages of ["site-packages", "dist-packages"]) {
        const library = inSitePackages(join(prefix, lib, python, packages));
        if (library !== undefined) return library;
      }
    }
  }
  return undefined;
}

function inSitePackages(folder: string): string | undefined {
  return list(folder)
    .filter((name) => WHEEL_LIBRARIES.test(name))
    .map((name) => join(folder, name, LIBRARY))
    .find((path) => existsSync(path));
}

/** The active environment, those beside the current folder, the Pythons on PATH, the user's own, and pyenv's. */
function pythonPrefixes({
  VIRTUAL_ENV,
  CONDA_PREFIX,
  PATH = "",
  PYENV_ROOT,
}: NodeJS.ProcessEnv): Set<string> {
  const pyenv = join(PYENV_ROOT || join(homedir(), ".pyenv"), "versions");
  const onPath = PATH.split(delimiter)
    .map((folder) => join(folder, "python3"))
    .filter((python) => existsSync(python))
    // An environment's python3 links to the system's, which is another prefix: both count.
    .flatMap((python) => [dirname(dirname(python)), dirname(dirname(realpathSync(python)))]);
  return new Set([
    ...[VIRTUAL_ENV, CONDA_PREFIX].filter((prefix) => prefix !== undefined && prefix !== ""),
    join(process.cwd(), ".venv"),
    join(process.cwd(), "venv"),
    ...onPath,
    join(homedir(), ".local"),
    ...list(pyenv).map((name) => join(pyenv, name)),
  ] as string[]);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
