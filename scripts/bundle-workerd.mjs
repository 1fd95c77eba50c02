// Bundles the module worker of cli/workerd and writes its configuration: `node scripts/bundle-workerd.mjs FOLDER`.
// Runs on the pinned Node.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { variableName } from "../cli/options/spec.ts";
import { WORKERD_OPTIONS } from "../cli/workerd/options.ts";

const root = join(import.meta.dirname, "..");
const require = createRequire(join(root, "tools", "bundle", "package.json"));
const { rolldown } = await import(pathToFileURL(require.resolve("rolldown")).href);
const [, , folder] = process.argv;

/** Modules that come with the worker or from workerd itself. */
const EXTERNAL = ["router.wasm", "cloudflare:workers"];

/** Packages that are imported somewhere but never used on workerd. */
const OMITTED = ["node-llama-cpp", "tokenizers", "@napi-rs/blake-hash"];

// CommonJS libraries load built-in modules with `require`, which module workers lack.
const plugin = {
  name: "workerd",
  resolveId(id, _importer, { kind }) {
    if (EXTERNAL.includes(id)) return { id, external: true };
    if (OMITTED.includes(id)) return `\0absent:${id}`;
    if (!isBuiltin(id)) return undefined;
    const name = id.startsWith("node:") ? id : `node:${id}`;
    return kind === "require-call" ? `\0${name}` : { id: name, external: true };
  },
  load(id) {
    if (id.startsWith("\0absent:")) return "throw new Error('This library is not in the worker.');";
    if (id.startsWith("\0node:"))
      return `export * from "${id.slice(1)}"; export { default } from "${id.slice(1)}";`;
    return undefined;
  },
};

mkdirSync(folder, { recursive: true });
const bundle = await rolldown({
  input: join(root, "cli", "workerd", "index.ts"),
  platform: "node",
  cwd: root,
  plugins: [plugin],
  shimMissingExports: true,
  treeshake: { moduleSideEffects: false },
  logLevel: "silent",
});
await bundle.write({ file: join(folder, "worker.js"), format: "esm", codeSplitting: false });
await bundle.close();
copyFileSync(join(root, "router-wasm", "router.wasm"), join(folder, "router.wasm"));
writeFileSync(join(folder, "config.capnp"), configuration());

function configuration() {
  const bindings = WORKERD_OPTIONS.map(variableName).map(
    (name) => `    (name = "${name}", fromEnvironment = "${name}"),`,
  );
  return `# The gateway on workerd: STATOR_ENGINES=http://127.0.0.1:8001 STATOR_OPEN=true workerd serve config.capnp
# See docs/runtimes.md.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "stator", worker = .stator),
    # For requests to engines; "private" allows engines on this machine and in this network.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8000", http = (), service = "stator")],
);

const stator :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "router.wasm", wasm = embed "router.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
  # Options come from the environment. A fixed value can be set here instead: (name = "STATOR_POLICY", text = "kv") in
  # place of its line, or a file: (name = "STATOR_KEYS", text = embed "keys.yaml").
  bindings = [
${bindings.join("\n")}
  ],
);
`;
}
