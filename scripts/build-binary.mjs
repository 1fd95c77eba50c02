// `npm run build:binary`: builds the gateway as a single executable, dist/stator: Node with the program, the router
// core and the native tokenizer inside (https://nodejs.org/api/single-executable-applications.html).
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, Stop } from "./install.mjs";

const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

await main(async () => {
  const tools = join(root, "tools", "bundle");
  await ensureInstalled();
  await ensureInstalled(tools, "Installing the bundler, once.");
  await buildWasm();
  const dist = join(root, "dist");
  const work = join(dist, "work");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const program = join(work, "stator.cjs");
  run([join(root, "scripts", "bundle.mjs"), program]);
  const config = join(work, "sea.json");
  const blob = join(work, "stator.blob");
  const assets = { "router.wasm": join(root, "router-wasm", "router.wasm"), ...addons() };
  const options = {
    main: program,
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets,
  };
  writeFileSync(config, JSON.stringify(options));
  run(["--experimental-sea-config", config]);
  const binary = join(dist, process.platform === "win32" ? "stator.exe" : "stator");
  rmSync(binary, { force: true });
  copyFileSync(pinnedNode, binary);
  chmodSync(binary, 0o755);
  const { inject } = createRequire(join(tools, "package.json"))("postject");
  const { readFileSync } = await import("node:fs");
  await inject(binary, "NODE_SEA_BLOB", readFileSync(blob), { sentinelFuse: FUSE });
  rmSync(work, { recursive: true });
  console.error(`Built ${binary} (${Math.round(statSync(binary).size / 1e6)} MB).`);
});

/** Runs the pinned Node. @throws Stop if it fails */
function run(args) {
  const { status } = spawnSync(pinnedNode, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Stop(status ?? 1);
}

/** The addons for this platform, as far as there are some; the executable can do without them. */
function addons() {
  const libc = process.platform === "linux" ? "-gnu" : process.platform === "win32" ? "-msvc" : "";
  const platform = `${process.platform}-${process.arch}${libc}`;
  const paths = {
    "tokenizers.node": join("tokenizers", `tokenizers.${platform}.node`),
    "blake3.node": join("@napi-rs", `blake-hash-${platform}`, `blake.${platform}.node`),
  };
  const found = Object.entries(paths).map(([name, path]) => [name, join(root, "node_modules", path)]);
  return Object.fromEntries(found.filter(([, path]) => existsSync(path)));
}
