// `npm run fuzz:router` and `npm run fuzz:http`: property tests with fresh seeds, for minutes. Each round is a process of
// its own, so that memory does not grow. Runs itself on the machine's own Node (20 or newer).
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd, Stop } from "./install.mjs";

/** By target, its tests, which take turns. */
const TARGETS = {
  router: { model: "router-wasm/model.test.ts" },
  http: {
    answers: "gateway/adapters/node/http/answers.oracle.test.ts",
    requests: "gateway/adapters/node/requests.oracle.test.ts",
  },
};

const target = process.argv[2];
const TESTS = TARGETS[target];
if (TESTS === undefined) throw new Error(`There is nothing to fuzz that is called '${target}'.`);

const HELP = `npm run fuzz:${target} -- [options]

  --minutes N   how long to look; default 5
  --test NAME   of ${Object.keys(TESTS).join(", ")}: this one alone; default: all, in turn
  --seed S      seed of the first round, a whole number; the next ones count up; default: a random one
  --path P      with --seed, runs the one case again that a failure named
`;

/** A round's length in seconds, and how long one may take that shrinks a failure before it counts as hung. */
const ROUND_S = 30;
const LONGEST_ROUND_S = 900;
const LEAST_RUNS = 20;

await main(async () => {
  const { minutes, test, seed, path } = readOptions();
  await ensureInstalled();
  await buildWasm();
  const folder = mkdtempSync(join(tmpdir(), "stator-fuzz-"));
  try {
    if (path !== undefined) return await play(join(folder, "log"), { test, seed, path }, "inherit");
    return await look(
      join(folder, "log"),
      minutes * 60,
      seed,
      test === undefined ? Object.keys(TESTS) : [test],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Plays rounds until the seconds are over, or one fails. Returns the exit code. */
async function look(log, seconds, first, tests) {
  const started = now();
  let runs = 0;
  const sizes = new Map(tests.map((test) => [test, LEAST_RUNS]));
  for (let round = 0; round < tests.length || now() - started < seconds; round++) {
    const test = tests[round % tests.length];
    const size = sizes.get(test);
    const seed = (first + round) % 2 ** 31;
    const roundStarted = now();
    const code = await play(log, { test, seed, runs: size });
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
  console.log(`${runs} runs, and nothing was found.`);
  return 0;
}

/** One round, or with a path one case. What Vitest says goes to the log. */
async function play(log, { test, seed, runs, path }, output) {
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

function report(log, { test, seed, runs }, isHung) {
  console.error(log);
  const [, found, path] = /seed: (-?\d+), path: "([\d:]+)"/.exec(log) ?? [];
  if (path !== undefined) {
    console.error(`Failed with seed ${found}, path ${path}. To repeat that case:`);
    console.error(`  npm run fuzz:${target} -- --test ${test} --seed ${found} --path ${path}`);
    return;
  }
  const what = isHung ? `did not end in ${LONGEST_ROUND_S} seconds` : "ended without naming a case";
  console.error(`The round of seed ${seed} ${what}. To repeat it:`);
  console.error(`  STATOR_FUZZ_SEED=${seed} STATOR_FUZZ_RUNS=${runs} npm test -- ${TESTS[test]}`);
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
    if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not '${values.minutes}'.`);
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    if (!Number.isInteger(seed) || Math.abs(seed) > 2 ** 31)
      throw new Error(`--seed takes a whole number of 32 bits, not '${values.seed}'.`);
    if (values.path !== undefined && values.seed === undefined) throw new Error("--path needs its --seed.");
    const names = Object.keys(TESTS);
    const test = values.test ?? (names.length === 1 ? names[0] : undefined);
    if (values.test !== undefined && !names.includes(values.test))
      throw new Error(`--test takes one of ${names.join(", ")}, not '${values.test}'.`);
    if (values.path !== undefined && test === undefined) throw new Error("--path needs its --test.");
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
