// `npm run fuzz:router` and `npm run fuzz:http`: run property tests with new seeds for some minutes. Each round is a
// separate process, so that memory does not grow. Runs on the system's Node (20 or newer).
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd, Stop } from "./install.mjs";

/** The tests of each target, which take turns. */
const TARGETS = {
  router: { model: "router-wasm/model.test.ts" },
  http: {
    answers: "gateway/adapters/node/http/answers.oracle.test.ts",
    requests: "gateway/adapters/node/requests.oracle.test.ts",
  },
};

const target = process.argv[2];
const TESTS = TARGETS[target];
if (TESTS === undefined) throw new Error(`Unknown fuzz target '${target}'.`);

const HELP = `npm run fuzz:${target} -- [options]

  --minutes N   how long to run; default 5
  --test NAME   run only one test (${Object.keys(TESTS).join(", ")}); default: all, in turn
  --seed S      integer seed of the first round, incremented for each round; default: random
  --path P      with --seed, repeats only the failing case with this path
`;

/** Target length of a round in seconds, and the time after which a round that shrinks a failure counts as hung. */
const ROUND_S = 30;
const LONGEST_ROUND_S = 900;
const LEAST_RUNS = 20;

await main(async () => {
  const { minutes, test, seed, path } = readOptions();
  await ensureInstalled();
  await buildWasm();
  const folder = mkdtempSync(join(tmpdir(), "stator-fuzz-"));
  try {
    if (path !== undefined) return await runRound(join(folder, "log"), { test, seed, path }, "inherit");
    return await runRounds(
      join(folder, "log"),
      minutes * 60,
      seed,
      test === undefined ? Object.keys(TESTS) : [test],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Runs rounds until the time is over or one fails. Returns the exit code. */
async function runRounds(log, seconds, first, tests) {
  const started = now();
  let runs = 0;
  const sizes = new Map(tests.map((test) => [test, LEAST_RUNS]));
  for (let round = 0; round < tests.length || now() - started < seconds; round++) {
    const test = tests[round % tests.length];
    const size = sizes.get(test);
    const seed = (first + round) % 2 ** 31;
    const roundStarted = now();
    const code = await runRound(log, { test, seed, runs: size });
    const took = now() - roundStarted;
    if (code > 128 && took < LONGEST_ROUND_S) return code;
    if (code !== 0) {
      report(readFileSync(log, "utf8"), { test, seed, runs: size }, code > 128);
      return 1;
    }
    runs += size;
    console.log(
      `round ${round + 1}, ${test}, seed ${seed}: ${size} runs in ${took.toFixed(1)} s; ${spent(now() - started, seconds)}`,
    );
    const wanted = Math.min(ROUND_S, started + seconds - now());
    sizes.set(test, Math.max(LEAST_RUNS, Math.floor((size / took) * wanted)));
  }
  console.log(`${runs} runs without a failure.`);
  return 0;
}

/** Runs one round, or a single case if there is a path, with Vitest's output in the log. */
async function runRound(log, { test, seed, runs, path }, output) {
  const file = openSync(log, "w");
  try {
    const config = join(root, "vitest.fuzz.config.ts");
    return await runToEnd(
      pinnedNode,
      [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", config, TESTS[test]],
      {
        cwd: root,
        env: {
          ...process.env,
          FUZZ_SEED: String(seed),
          ...(runs !== undefined && { FUZZ_RUNS: String(runs) }),
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

function report(log, { test, seed, runs }, isHung) {
  console.error(log);
  const [, found, path] = /seed: (-?\d+), path: "([\d:]+)"/.exec(log) ?? [];
  if (path !== undefined) {
    console.error(`Failed with seed ${found}, path ${path}. To repeat that case:`);
    console.error(`  npm run fuzz:${target} -- --test ${test} --seed ${found} --path ${path}`);
    return;
  }
  const what = isHung ? `did not end within ${LONGEST_ROUND_S} seconds` : "failed without reporting a case";
  console.error(`The round with seed ${seed} ${what}. To repeat it:`);
  console.error(`  FUZZ_SEED=${seed} FUZZ_RUNS=${runs} npm test -- ${TESTS[test]}`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      args: process.argv.slice(3),
      options: {
        minutes: { type: "string", default: "5" },
        test: { type: "string" },
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
    if (!(minutes > 0)) throw new Error(`--minutes must be a number above 0, not '${values.minutes}'.`);
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    if (!Number.isInteger(seed) || Math.abs(seed) > 2 ** 31)
      throw new Error(`--seed must be a 32-bit integer, not '${values.seed}'.`);
    if (values.path !== undefined && values.seed === undefined) throw new Error("--path requires --seed.");
    const names = Object.keys(TESTS);
    const test = values.test ?? (names.length === 1 ? names[0] : undefined);
    if (values.test !== undefined && !names.includes(values.test))
      throw new Error(`--test must be one of ${names.join(", ")}, not '${values.test}'.`);
    if (values.path !== undefined && test === undefined) throw new Error("--path requires --test.");
    return { minutes, test, seed, path: values.path };
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
