// `npm run lint` and `npm run format`: Biome, which is installed apart because it is large.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureInstalled, root } from "./install.mjs";

const folder = join(root, "tools", "lint");
ensureInstalled(folder, "Installing Biome, once.");
const biome = join(folder, "node_modules", "@biomejs", "biome", "bin", "biome");
const { status } = spawnSync(
  process.execPath,
  [biome, "check", "--error-on-warnings", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
