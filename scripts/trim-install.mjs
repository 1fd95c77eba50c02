// Runs after every install, on the machine's own Node, and notes that it is done. It deletes files that nothing here uses, so that the
// whole install stays small (see "Size" in CONTRIBUTING.md):
// - tokenizers ships its addon for thirteen platforms: keep this machine's;
// - zeromq does so for seven and for several Node releases: keep the newest, which its loader takes first
//   (Node-API: it runs on older and newer Node too); cmake-ts beside it is that loader and, 6 MB, a compiler driver;
// - node-llama-cpp's foreign CPU builds are installed on x64 as well; its source bundle is for compiling;
// - the npm package `node` keeps C headers, binaryen its command-line builds, wasi-shim a picture.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { markInstalled, root } from "./install.mjs";

const modules = join(root, "node_modules");
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

const zeromqBuilds = Object.entries(readManifest()).map(([key, path]) => ({
  ...JSON.parse(key),
  folder: dirname(path.replaceAll("\\", "/")),
}));
const isHere = (build) => build.os === process.platform && build.arch === process.arch;
const isNewest = (build) =>
  !zeromqBuilds.some((other) => isHere(other) && other.libc === build.libc && other.abi > build.abi);
const kept = zeromqBuilds.filter((build) => isHere(build) && isNewest(build)).map(({ folder }) => folder);
for (const folder of zeromqFolders().filter((name) => kept.length > 0 && !kept.includes(name)))
  remove(`zeromq/build/${folder}`);
remove("cmake-ts/src");
for (const name of list("cmake-ts/build").filter((file) => file !== "loader.js"))
  remove(`cmake-ts/build/${name}`);

const llamaPlatform = { linux: "linux", darwin: "mac", win32: "win" }[process.platform];
const isOtherArchitecture = (name) =>
  !name.startsWith(`${llamaPlatform}-${process.arch === "arm" ? "armv7l" : process.arch}`);
for (const name of list("@node-llama-cpp").filter(isOtherArchitecture)) remove(`@node-llama-cpp/${name}`);
for (const name of list("node-llama-cpp/llama").filter((file) => file.endsWith(".bundle")))
  remove(`node-llama-cpp/llama/${name}`);

for (const name of list("node/node_modules").filter((folder) => folder.startsWith("node-")))
  remove(`node/node_modules/${name}/include`);
remove("binaryen/bin");
remove("@assemblyscript/wasi-shim/media");

// Whoever installs with npm itself need not wait for a second install; without what only developers need, it is none.
if (existsSync(join(root, "package-lock.json")) && existsSync(join(modules, "typescript")))
  markInstalled(root);

/** zeromq's builds by what they are for; none where it is not installed. */
function readManifest() {
  try {
    return JSON.parse(readFileSync(join(modules, "zeromq/build/manifest.json"), "utf8"));
  } catch {
    return {};
  }
}

/** The folders with an addon, some of which the manifest does not even name: `linux/x64/node/glibc-127-Release`. */
function zeromqFolders() {
  return list("zeromq/build").flatMap((os) =>
    list(`zeromq/build/${os}`).flatMap((arch) =>
      list(`zeromq/build/${os}/${arch}/node`).map((name) => `${os}/${arch}/node/${name}`),
    ),
  );
}
