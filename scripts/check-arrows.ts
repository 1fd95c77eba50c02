/**
 * Holds the arrows between the rooms: which room may import which, that other rooms are entered through their
 * one public face, and that inside the gateway each folder imports only those after it.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname, "..");

/** Room → the rooms that it may import. */
const ROOMS: Record<string, readonly string[]> = {
  gateway: ["router-wasm", "runtime"],
  "router-wasm": [],
  runtime: [],
  workers: ["runtime"],
  "stand-ins": ["router-wasm", "runtime", "workers"],
  cli: ["gateway", "router-wasm", "runtime", "workers"],
  bench: ["gateway", "router-wasm", "runtime", "workers", "cli", "stand-ins"],
  examples: ["gateway", "router-wasm", "runtime", "workers", "cli"],
  "runtime-tests": ["router-wasm"],
};

/** The gateway's folders in the order in which a request meets them. */
const GATEWAY_ORDER = [
  "adapters",
  "fronts",
  "api",
  "access",
  "doctor",
  "pipeline",
  "dispatch",
  "engines",
  "routing",
  "models",
];

const problems: string[] = [];

for (const file of globSync(`{${Object.keys(ROOMS)}}/**/*.ts`, {
  cwd: root,
  exclude: ["**/node_modules"],
})) {
  if (file.startsWith("router-wasm/assembly/")) continue;
  const isTest =
    file.startsWith("runtime-tests/") ||
    file.startsWith("cli/e2e/") ||
    /\.(test|suite)\.ts$|\/test-[\w-]+\.ts$|\/reference-[\w-]+\.ts$/.test(file);
  for (const { specifier, line } of importsOf(readFileSync(join(root, file), "utf8"))) {
    const problem = judge(file, specifier, isTest);
    if (problem !== undefined) problems.push(`${file}:${line}: ${problem}`);
  }
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log("All import arrows hold.");

function judge(file: string, specifier: string, isTest: boolean): string | undefined {
  const room = file.split("/")[0]!;
  if (specifier.startsWith("#")) {
    const target = specifier.slice(1);
    if (target === room || isTest || ROOMS[room]!.includes(target)) return undefined;
    return `${room} may not import ${target}`;
  }
  if (specifier.startsWith("node:")) {
    const isWebOnly =
      (room === "gateway" && !file.startsWith("gateway/adapters/node/")) || room === "router-wasm";
    return isWebOnly && !isTest ? `${file} must not need Node: ${specifier}` : undefined;
  }
  if (!specifier.startsWith(".")) return undefined;
  const target = relative(root, join(root, dirname(file), specifier));
  if (target === "package.json") return undefined;
  if (target.split("/")[0] !== room)
    return isTest ? undefined : `import other rooms by their public face, not ${specifier}`;
  return room === "gateway" && !isTest ? judgeGateway(file, target) : undefined;
}

function judgeGateway(file: string, target: string): string | undefined {
  const from = GATEWAY_ORDER.indexOf(file.split("/")[1]!);
  const to = GATEWAY_ORDER.indexOf(target.split("/")[1]!);
  if (from < 0 || to < 0 || to >= from) return undefined;
  return `gateway/${GATEWAY_ORDER[from]} may not import gateway/${GATEWAY_ORDER[to]}, which a request meets earlier`;
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
