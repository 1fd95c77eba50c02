// `npm run build:native`: compiles the NIXL addon, `native/nixl/addon` → `dist/native/nixl.node`, with the headers of the
// lockfile's packages. Does nothing if the existing file was built from the same sources. Stator works without it. Runs
// on Node 20 and later.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled, main, root } from "./install.mjs";

const sources = join(root, "native", "nixl", "addon");
const headers = ["node-api-headers/include", "node-addon-api"].map((name) =>
  join(root, "node_modules", name),
);
const FLAGS = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"];
const DEFINES = ["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS"];

/** The normal build, and one for `npm run test:native`. */
const VARIANTS = {
  release: { file: "nixl.node", flags: ["-O2"] },
  asan: { file: "nixl-asan.node", flags: ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"] },
};

/**
 * Brings the addon up to date. Throws an error with the compiler's messages if the sources do not compile.
 * @param {"release" | "asan"} variant
 * @returns {Promise<string | undefined>} its path; undefined, after a message, if this machine cannot build it
 */
export async function buildNative(variant = "release") {
  const { file, flags } = VARIANTS[variant];
  const path = join(root, "dist", "native", file);
  const stamp = `${path}.sources`;
  const units = readdirSync(sources).sort();
  const hash = hashOf(units, flags);
  if (existsSync(path) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return path;
  const missing = await missingHere();
  if (missing !== undefined) {
    console.error(`The NIXL addon is not built (${missing}); transfers use shared memory and TCP instead.`);
    return undefined;
  }
  mkdirSync(dirname(path), { recursive: true });
  // Renamed into place, so that a process starting meanwhile never loads a partial file.
  const draft = `${path}.${process.pid}.tmp`;
  const objects = units.filter((name) => name.endsWith(".cpp")).map((name) => join(sources, name));
  const include = headers.flatMap((folder) => ["-isystem", folder]);
  const args = [
    ...FLAGS,
    ...DEFINES,
    ...flags,
    ...include,
    "-shared",
    ...objects,
    "-ldl",
    "-pthread",
    "-o",
    draft,
  ];
  const { code, output } = await run(compiler(), args);
  if (code !== 0) {
    rmSync(draft, { force: true });
    throw new Error(`The NIXL addon does not compile:\n${output}`);
  }
  renameSync(draft, path);
  writeFileSync(stamp, hash);
  console.error(`Built ${path}`);
  return path;
}

const compiler = () => process.env.CXX || "c++";

async function missingHere() {
  if (process.platform !== "linux") return "it needs Linux";
  if (!headers.every((folder) => existsSync(folder))) return "its headers are development dependencies";
  const { code } = await run(compiler(), ["--version"]);
  return code === 0 ? undefined : `there is no C++ compiler: ${compiler()}`;
}

function hashOf(units, flags) {
  const hash = createHash("sha256").update([...FLAGS, ...DEFINES, ...flags, process.arch].join(" "));
  for (const name of units) hash.update(`${name}\0`).update(readFileSync(join(sources, name)));
  for (const folder of ["node-api-headers", "node-addon-api"])
    hash.update(read(join(root, "node_modules", folder, "package.json")));
  return hash.digest("hex");
}

const read = (path) => (existsSync(path) ? readFileSync(path) : "");

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    child.once("error", () => resolve({ code: -1, output }));
    child.once("close", (code) => resolve({ code, output }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    await ensureInstalled();
    await buildNative();
  });
}
