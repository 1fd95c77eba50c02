// Runs after every install, on the machine's own Node. It deletes files that nothing here uses, so that the
// whole install stays small (see "Size" in CONTRIBUTING.md):
// - tokenizers ships its addon for thirteen platforms: keep this machine's;
// - node-llama-cpp's foreign CPU builds are installed on x64 as well; its source bundle is for compiling;
// - the npm package `node` keeps C headers, binaryen its command-line builds.
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules");
const list = (folder) => {
  try {
    return readdirSync(join(modules, folder));
  } catch {
    return [];
  }
};
const remove = (path) => rmSync(join(modules, path), { recursive: true, force: true });

const platform =
  process.platform === "darwin"
    ? ["darwin-universal", `darwin-${process.arch}`]
    : [`${process.platform}-${process.arch}`];
const isForeignAddon = (file) =>
  file.endsWith(".node") && !platform.some((name) => file.includes(`.${name}`));
for (const file of list("tokenizers").filter(isForeignAddon)) remove(`tokenizers/${file}`);

const llamaPlatform = { linux: "linux", darwin: "mac", win32: "win" }[process.platform];
const isOtherArchitecture = (name) =>
  !name.startsWith(`${llamaPlatform}-${process.arch === "arm" ? "armv7l" : process.arch}`);
for (const name of list("@node-llama-cpp").filter(isOtherArchitecture)) remove(`@node-llama-cpp/${name}`);
for (const name of list("node-llama-cpp/llama").filter((file) => file.endsWith(".bundle")))
  remove(`node-llama-cpp/llama/${name}`);

for (const name of list("node/node_modules").filter((folder) => folder.startsWith("node-")))
  remove(`node/node_modules/${name}/include`);
remove("binaryen/bin");
