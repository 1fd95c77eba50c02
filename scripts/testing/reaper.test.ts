import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { isAlive } from "../../cli/is-alive.ts";
import { PROCESS_MARK } from "./marked-processes.ts";

let reaper: ChildProcess;
let mark: string;
let path: string;

beforeEach(async () => {
  mark = crypto.randomUUID();
  path = join(tmpdir(), `stator-reaper-${mark}.sock`);
  reaper = fork(join(import.meta.dirname, "reaper.ts"), [path], {
    execArgv: [],
    stdio: ["ignore", 1, "pipe", "ipc"],
  });
  await once(reaper, "message");
});

/** Starts a process with its environment and one without, and then prints the ids of the former, the shell and the latter. */
const SHELL = "sleep 600 & env -i sh -c 'echo '$!' '$$' $$; exec sleep 600' & wait";

/**
 * Starts a test file's process, which starts a child in another process group, which starts two grandchildren, one of them
 * without an environment.
 */
async function startFile() {
  const joins = `
    import { connect } from "node:net";
    import { spawn } from "node:child_process";
    connect(process.argv[1]).write(process.argv[2] + "\\nsome.test.ts");
    process.env.${PROCESS_MARK} = process.argv[2];
    const child = spawn("sh", ["-c", ${JSON.stringify(SHELL)}], { detached: true });
    child.stdout.pipe(process.stdout);
  `;
  const file = spawn(process.execPath, ["--input-type=module", "-e", joins, path, mark], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(file.stdout, "data");
  return { file, left: String(line).trim().split(" ").map(Number) };
}

test("children and grandchildren of a killed test process are killed and reported", async () => {
  const { file, left } = await startFile();
  expect(left.filter(isAlive)).toHaveLength(3);
  const reported = once(reaper.stderr!, "data");
  file.kill("SIGKILL");
  expect(String((await reported)[0])).toMatch(/^some\.test\.ts left process \d+ behind/);
  await expect.poll(() => left.filter(isAlive)).toEqual([]);
  reaper.disconnect();
  await once(reaper, "exit");
});

test("the reaper outlives Vitest until the last test process and its children have ended", async () => {
  const { file, left } = await startFile();
  const exited = once(reaper, "exit");
  reaper.disconnect();
  reaper.kill("SIGTERM");
  file.kill("SIGKILL");
  expect(await exited).toEqual([0, null]);
  expect(left.filter(isAlive)).toEqual([]);
});
