import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where each platform's package has the binary: the npm packages leave finding it to install scripts. */
const PATHS = { deno: "deno", bun: "bin/bun", workerd: "bin/workerd" };

/** The host's own binary, as npm ships it. Throws with what to do where it is not installed. */
export function binaryOf(host: keyof typeof PATHS): string {
  const modules = join(import.meta.dirname, "node_modules");
  const extension = process.platform === "win32" ? ".exe" : "";
  for (const name of platformPackages(join(modules, host, "package.json"))) {
    const path = join(modules, name, PATHS[host] + extension);
    if (existsSync(path)) return path;
  }
  throw new Error(
    `${host} is not installed for ${process.platform} ${process.arch}: run this by 'npm run test:hosts', which installs it.`,
  );
}

/** The Python of the virtual environment that `scripts/python.mjs` makes. */
export const python = join(import.meta.dirname, ".venv", "bin", "python");

function platformPackages(manifest: string): string[] {
  if (!existsSync(manifest)) return [];
  const { optionalDependencies } = JSON.parse(readFileSync(manifest, "utf8"));
  return Object.keys(optionalDependencies);
}
