/**
 * Checks the import arrows: which room may import which, and only through its public interface; that inside the
 * gateway, each folder imports only those below it and no file is outside them; that there are no import cycles,
 * including those of types; and that production code needs no development dependencies.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname, "..");

/** The rooms that each room may import. */
const ROOMS: Record<string, readonly string[]> = {
  gateway: ["proto", "router-wasm", "runtime"],
  native: [],
  proto: [],
  "router-wasm": [],
  runtime: ["proto"],
  workers: ["native", "proto", "runtime"],
  services: ["gateway", "proto", "router-wasm", "runtime"],
  "stand-ins": ["router-wasm", "runtime", "workers"],
  cli: ["gateway", "native", "router-wasm", "runtime", "workers"],
  bench: ["gateway", "native", "router-wasm", "runtime", "workers", "cli", "stand-ins"],
  examples: ["gateway", "native", "router-wasm", "runtime", "services", "workers", "cli"],
  "runtime-tests": ["router-wasm"],
};

/** The gateway's folders from the top; each may import only those below it. */
const GATEWAY_ORDER = [
  "adapters",
  "compose",
  "api",
  "requests",
  "remote",
  "peers",
  "doctor",
  "models",
  "prompts",
  "parsers",
  "feeds",
  "routing",
  "engines",
  "wire",
  "access",
  "media",
  "grammars",
  "kernel",
];

/** The gateway's public interfaces: the whole, and what needs no gateway. */
const GATEWAY_FACES = ["gateway/index.ts", "gateway/choices.ts"];

/** Rooms that are not used in production. */
const DEVELOPMENT = ["stand-ins", "bench", "examples", "runtime-tests"];
const { devDependencies }: { devDependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);

const problems: string[] = [];
/** For each file, the files of its own room that it imports. */
const imports = new Map<string, string[]>();
const needsNode = new Set<string>();

for (const file of globSync(`{${Object.keys(ROOMS)}}/**/*.ts`, {
  cwd: root,
  exclude: ["**/node_modules"],
})) {
  if (file.startsWith("router-wasm/assembly/")) continue;
  const isTest =
    file.startsWith("runtime-tests/") ||
    file.startsWith("cli/e2e/") ||
    /\.(test|suite)\.ts$|\/test-[\w-]+\.ts$|\/reference-[\w-]+\.ts$/.test(file);
  const inside: string[] = [];
  imports.set(file, inside);
  if (/^gateway\/[^/]+$/.test(file) && !GATEWAY_FACES.includes(file))
    problems.push(`${file}: move it into one of the gateway's folders`);
  for (const { specifier, line } of importsOf(readFileSync(join(root, file), "utf8"))) {
    if (specifier.startsWith("node:")) needsNode.add(file);
    if (specifier.startsWith(".")) inside.push(relative(root, join(root, dirname(file), specifier)));
    const problem = check(file, specifier, isTest);
    if (problem !== undefined) problems.push(`${file}:${line}: ${problem}`);
  }
}

for (const file of webRuntime())
  if (needsNode.has(file))
    problems.push(`${file}: it is part of #runtime but needs Node: move it to #runtime/node`);
problems.push(...cycles().map((files) => `import cycle: ${files.join(" → ")}`));

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log("All import arrows hold.");

function check(file: string, specifier: string, isTest: boolean): string | undefined {
  const room = file.split("/")[0]!;
  if (specifier === "#runtime/node" && isWebOnly(file) && !isTest)
    return `${file} must use only web standards: ${specifier}`;
  if (specifier.startsWith("#")) {
    const target = specifier.slice(1).split("/")[0]!;
    if (target === room || isTest || ROOMS[room]!.includes(target)) return undefined;
    return `${room} may not import ${target}`;
  }
  if (specifier.startsWith("node:")) {
    return isWebOnly(file) && !isTest ? `${file} must not need Node: ${specifier}` : undefined;
  }
  if (!specifier.startsWith(".")) {
    const isForTests = isTest || DEVELOPMENT.includes(room) || /\/testing[^/]*\.ts$|-suite\.ts$/.test(file);
    const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
    if (isForTests || !Object.hasOwn(devDependencies, name)) return undefined;
    return `${name} is a development dependency`;
  }
  const target = relative(root, join(root, dirname(file), specifier));
  if (target === "package.json") return undefined;
  if (target.split("/")[0] !== room)
    return isTest ? undefined : `import other rooms through their public interface, not ${specifier}`;
  return room === "gateway" && !isTest ? checkGateway(file, target) : undefined;
}

/**
 * Whether a file must use only web standards: the gateway except its runtime-specific parts, the router's host, and the
 * messages.
 */
function isWebOnly(file: string): boolean {
  if (/^(router-wasm|proto)\//.test(file)) return true;
  return file.startsWith("gateway/") && !/^gateway\/(adapters\/(node\/|sockets\.ts)|index\.ts)/.test(file);
}

/** The files reachable from `#runtime`, which must also use only web standards. */
function webRuntime(): Set<string> {
  const reached = new Set(["runtime/index.ts"]);
  for (const file of reached) for (const target of imports.get(file) ?? []) reached.add(target);
  return reached;
}

function checkGateway(file: string, target: string): string | undefined {
  const [from, to] = [file, target].map((path) => path.split("/")[1]!);
  if (GATEWAY_FACES.includes(file)) return undefined;
  if (GATEWAY_FACES.includes(target)) return "the public interface is for other rooms";
  const [above, below] = [GATEWAY_ORDER.indexOf(from!), GATEWAY_ORDER.indexOf(to!)];
  if (above < 0) return `gateway/${from} is not in the order of the gateway's folders`;
  return below >= above ? undefined : `gateway/${from} may not import gateway/${to}, which is above it`;
}

/** The shortest cycles, no two of which share a file, because breaking one usually breaks the others. */
function cycles(): string[][] {
  const all = [...imports.keys()].flatMap((file) => cycleThrough(file) ?? []);
  const known = new Set<string>();
  return all
    .sort((one, other) => one.length - other.length)
    .filter((cycle) => {
      const isNew = !cycle.some((file) => known.has(file));
      for (const file of cycle) known.add(file);
      return isNew;
    });
}

/** The shortest import cycle through a file, in a list of one; undefined if there is none. */
function cycleThrough(start: string): [string[]] | undefined {
  const from = new Map<string, string>();
  const open = [start];
  for (let file = open.shift(); file !== undefined; file = open.shift()) {
    for (const target of imports.get(file) ?? []) {
      if (target === start) return [trace(from, start, file)];
      if (from.has(target)) continue;
      from.set(target, file);
      open.push(target);
    }
  }
  return undefined;
}

function trace(from: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const cycle = [start];
  for (let file: string | undefined = end; file !== start && file !== undefined; file = from.get(file))
    cycle.splice(1, 0, file);
  return [...cycle, start];
}

interface Import {
  specifier: string;
  line: number;
}

function importsOf(source: string): Import[] {
  const pattern =
    /^(import|export)\s+(?:type\s)?[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)|^import\s+"([^"]+)"/gm;
  return Array.from(source.matchAll(pattern), (match) => ({
    specifier: match[2] ?? match[3] ?? match[4]!,
    line: source.slice(0, match.index).split("\n").length,
  }));
}
