// `npm run proto`: generates proto/gen from the .proto files.
// `npm run proto:check`: lints them, checks that they still understand the messages of proto/baseline.binpb, and that
// proto/gen is current. Needs neither git nor the network.
// `npm run proto:baseline`: makes today's messages the baseline, with each release.
// Runs on the pinned Node.
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { main, root, runToEnd, Stop } from "./install.mjs";

const room = join(root, "proto");
const bin = join(root, "node_modules", ".bin");
const buf = join(root, "node_modules", "@bufbuild", "buf", "bin", "buf");
// buf finds its plugin on the path, and the plugin its Node.
const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };

const COMMANDS = { generate, check, baseline };

await main(async () => {
  const command = COMMANDS[process.argv[2]];
  if (command === undefined) throw new Error(`Choose one of ${Object.keys(COMMANDS).join(", ")}.`);
  await command();
});

async function generate() {
  await run("generate");
}

async function check() {
  await run("lint");
  await run("breaking", "--against", "baseline.binpb");
  const folder = mkdtempSync(join(tmpdir(), "stator-proto-"));
  try {
    await run("generate", "--output", folder);
    const [current, wanted] = [generatedIn(room), generatedIn(folder)];
    const stale = [...new Set([...current.keys(), ...wanted.keys()])].filter(
      (file) => current.get(file) !== wanted.get(file),
    );
    if (stale.length === 0) return;
    console.error(`Not current: ${stale.map((file) => `proto/${file}`).join(", ")}. Run npm run proto.`);
    throw new Stop(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Only compatible messages become the baseline: others would break what is installed already. */
async function baseline() {
  await check();
  await run("build", "--exclude-source-info", "--output", "baseline.binpb");
}

/** The generated files in a folder, and their content. */
function generatedIn(folder) {
  const files = globSync("gen/**/*.ts", { cwd: folder });
  return new Map(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

async function run(...args) {
  const code = await runToEnd(process.execPath, [buf, ...args], { cwd: room, env, stdio: "inherit" });
  if (code !== 0) throw new Stop(code);
}
