import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasEtcd } from "../runtime/discovery/etcd/test-etcd.ts";
import { hasNats } from "../runtime/testing/nats-server.ts";
import { hasNetworks } from "../scripts/testing/network.ts";

// Runs every command of the guide, in order, in one shell, and checks what it says that they print.

const PAGE = readFileSync(new URL("multinode.md", import.meta.url), "utf8");
const HOSTS = "examples/multinode/hosts.sh";

interface Step {
  readonly command: string;
  /** Patterns of its output. */
  readonly expected: readonly RegExp[];
}

/** The commands of a block: a line each, and after it what it prints. */
function stepsOf(block: string): Step[] {
  const steps: { command: string; expected: RegExp[] }[] = [];
  for (const line of block.trim().split("\n")) {
    const pattern = /^#→ (.*)$/.exec(line)?.[1];
    if (pattern === undefined) steps.push({ command: line, expected: [] });
    else steps.at(-1)!.expected.push(new RegExp(pattern, "i"));
  }
  return steps;
}

/** Without the variables of the tests, which `stator` would take for options. */
const cleanEnv = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("STATOR_")));

const steps = [...PAGE.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => stepsOf(block!));
const canRun = hasNetworks && hasEtcd && hasNats && existsSync("/usr/bin/curl");

describe.runIf(canRun)("the guide", () => {
  let shell: ChildProcess;
  let output = "";
  let wake = () => {};

  beforeAll(() => {
    execFileSync(HOSTS, ["down"]);
    shell = spawn("bash", ["-O", "expand_aliases"], { stdio: "pipe", env: cleanEnv() });
    for (const stream of [shell.stdout!, shell.stderr!])
      stream.on("data", (chunk) => {
        output += chunk;
        wake();
      });
  });

  afterAll(async () => {
    shell.stdin!.end();
    execFileSync(HOSTS, ["down"]);
  });

  /** Runs a line in the shell. @returns its exit code and what it has printed */
  async function run(command: string): Promise<{ code: number; printed: string }> {
    output = "";
    shell.stdin!.write(`${command}\necho "<exit $?>"\n`);
    for (;;) {
      const end = /<exit (\d+)>\n$/.exec(output);
      if (end !== null) return { code: Number(end[1]), printed: output.slice(0, end.index) };
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  test.each(steps)("$command", async ({ command, expected }) => {
    const { code, printed } = await run(command);
    expect(code, printed).toBe(0);
    for (const pattern of expected) expect(printed).toMatch(pattern);
  });
});

test("the guide has commands, and says what they print", () => {
  expect(steps.length).toBeGreaterThan(20);
  expect(steps.filter(({ expected }) => expected.length > 0).length).toBeGreaterThan(8);
});
