// `npm run fuzz:router`: the router against its reference model with fresh seeds, for minutes. Each round is a
// process of its own, so that memory does not grow. Runs itself on the machine's own Node (20 or newer).
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd, Stop } from "./install.mjs";

const HELP = `npm run fuzz:router -- [options]

  --minutes N   how long to look; default 5
  --seed S      seed of the first round, a whole number; the next ones count up; default: a random one
  --path P      with --seed, runs the one case again that a failure named
`;

/** A round's length in seconds, and how long one may take that shrinks a failure before it counts as hung. */
const ROUND_S = 30;
const LONGEST_ROUND_S = 900;
const LEAST_RUNS = 20;

await main(async () => {
  const { minutes, seed, path } = readOptions();
  await ensureInstalled();
  await buildWasm();
  const folder = mkdtempSync(join(tmpdir(), "stator-fuzz-"));
  try {
    if (path !== undefined) return await play(join(folder, "log"), { seed, path }, "inherit");
    return await look(join(folder, "log"), minutes * 60, seed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Plays rounds until the seconds are over, or one fails. Returns the exit code. */
async function look(log, seconds, first) {
  const started = now();
  let runs = 0;
  let size = LEAST_RUNS;
  for (let round = 0; round === 0 || now() - started < seconds; round++) {
    const seed = (first + round) % 2 ** 31;
    const roundStarted = now();
    const code = await play(log, { seed, runs: size });
    const took = now() - roundStarted;
    if (code > 128 && took < LONGEST_ROUND_S) return code;
    if (code !== 0) {
      report(readFileSync(log, "utf8"), seed, size, code > 128);
      return 1;
    }
    runs += size;
    console.log(
      `round ${round + 1}, seed ${seed}: ${size} runs in ${took.toFixed(1)} s; ${spent(now() - started, seconds)}`,
    );
    const wanted = Math.min(ROUND_S, started + seconds - now());
    size = Math.max(LEAST_RUNS, Math.floor((size / took) * wanted));
  }
  console.log(`${runs} runs, and the core did what the model does in each.`);
  return 0;
}

/** One round, or with a path one case. What Vitest says goes to the log. */
async function play(log, { seed, runs, path }, output) {
  const file = openSync(log, "w");
  try {
    const config = join(root, "vitest.fuzz.config.ts");
    return await runToEnd(
      pinnedNode,
      [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", config],
      {
        cwd: root,
        env: {
          ...process.env,
          STATOR_FUZZ_SEED: String(seed),
          ...(runs !== undefined && { STATOR_FUZZ_RUNS: String(runs) }),
          ...(path !== undefined && { STATOR_FUZZ_PATH: path }),
        },
        stdio: ["ignore", output ?? file, output ?? file],
        timeout: LONGEST_ROUND_S * 1000,
        killSignal: "SIGKILL",
      },
    );
  } finally {
    closeSync(file);
  }
}

function report(log, seed, runs, isHung) {
  console.error(log);
  const [, found, path] = /seed: (-?\d+), path: "([\d:]+)"/.exec(log) ?? [];
  if (path !== undefined) {
    console.error(`Failed with seed ${found}, path ${path}. To repeat that case:`);
    console.error(`  npm run fuzz:router -- --seed ${found} --path ${path}`);
    return;
  }
  const what = isHung ? `did not end in ${LONGEST_ROUND_S} seconds` : "ended without naming a case";
  console.error(`The round of seed ${seed} ${what}. To repeat it:`);
  console.error(`  STATOR_FUZZ_SEED=${seed} STATOR_FUZZ_RUNS=${runs} npm test -- router-wasm/model.test.ts`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "5" },
        seed: { type: "string" },
        path: { type: "string" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      console.log(HELP);
      throw new Stop(0);
    }
    const minutes = Number(values.minutes);
    if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not '${values.minutes}'.`);
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    if (!Number.isInteger(seed) || Math.abs(seed) > 2 ** 31)
      throw new Error(`--seed takes a whole number of 32 bits, not '${values.seed}'.`);
    if (values.path !== undefined && values.seed === undefined) throw new Error("--path needs its --seed.");
    return { minutes, seed, path: values.path };
  } catch (error) {
    if (error instanceof Stop) throw error;
    console.error(`${error.message}\n\n${HELP}`);
    throw new Stop(2);
  }
}

function spent(seconds, all) {
  return `${(seconds / 60).toFixed(1)} of ${(all / 60).toFixed(1)} minutes`;
}

function now() {
  return performance.now() / 1000;
}
