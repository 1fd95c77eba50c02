// Runs after every install, on the system's Node, and records that the install is complete. Deletes unused files to
// keep the installation small (see "Size" in CONTRIBUTING.md):
// - tokenizers ships its addon for thirteen platforms; only this machine's is kept;
// - zeromq ships its addon for seven platforms and several Node releases; the newest is kept, which its loader tries
//   first (it uses Node-API, so it runs on older and newer Node too); cmake-ts is that loader plus 6 MB of build tools;
// - node-llama-cpp's builds for other CPUs are also installed on x64; its source bundle is only for compiling;
// - the npm package `node` has C headers, binaryen its command-line tools, wasi-shim an image;
// - buf brings its lint and breaking-change rules again as plugins of protoc; the generator of TypeScript from protobuf
//   needs only the compiler's API.
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

for (const name of list("@bufbuild").filter((folder) => folder.startsWith("buf-")))
  for (const plugin of list(`@bufbuild/${name}/bin`).filter((file) => file.startsWith("protoc-gen-")))
    remove(`@bufbuild/${name}/bin/${plugin}`);
const compiler = "@bufbuild/protoplugin/node_modules/typescript";
if (existsSync(join(modules, compiler))) {
  remove(`${compiler}/bin`);
  for (const file of list(`${compiler}/lib`).filter((name) => name !== "typescript.js"))
    remove(`${compiler}/lib/${file}`);
}

// Saves a second install after `npm ci` by hand, unless development dependencies were omitted.
if (existsSync(join(root, "package-lock.json")) && existsSync(join(modules, "typescript")))
  markInstalled(root);

/** zeromq's builds by platform; empty if it is not installed. */
function readManifest() {
  try {
    return JSON.parse(readFileSync(join(modules, "zeromq/build/manifest.json"), "utf8"));
  } catch {
    return {};
  }
}

/** The folders with an addon, some of which are not in the manifest: `linux/x64/node/glibc-127-Release`. */
function zeromqFolders() {
  return list("zeromq/build").flatMap((os) =>
    list(`zeromq/build/${os}`).flatMap((arch) =>
      list(`zeromq/build/${os}/${arch}/node`).map((name) => `${os}/${arch}/node/${name}`),
    ),
  );
}
