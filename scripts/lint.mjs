// `npm run lint` and `npm run format`: run Biome, which is installed separately because it is large.
import { join } from "node:path";
import { ensureInstalled, main, root, runToEnd } from "./install.mjs";

await main(async () => {
  const folder = join(root, "tools", "lint");
  await ensureInstalled(folder, "Installing Biome, once.");
  const biome = join(folder, "node_modules", "@biomejs", "biome", "bin", "biome");
  const args = [biome, "check", "--error-on-warnings", ...process.argv.slice(2)];
  return runToEnd(process.execPath, args, { cwd: root, stdio: "inherit" });
});
