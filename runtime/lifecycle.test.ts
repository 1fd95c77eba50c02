import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("testing-process.ts", import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(mode: string, ipc = false) {
  const stdio: ("ignore" | "pipe" | "ipc")[] = ["ignore", "pipe", "pipe"];
  const child = spawn(process.execPath, [script, mode], { stdio: ipc ? [...stdio, "ipc"] : stdio });
  children.push(child);
  let output = "";
  let errors = "";
  let onOutput = () => {};
  child.stdout?.on("data", (chunk) => {
    output += chunk;
    onOutput();
  });
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  return {
    child,
    /** Resolves when the process has written `wanted`. */
    wrote: (wanted: string) =>
      new Promise<void>((resolve) => {
        onOutput = () => {
          if (output.includes(wanted)) resolve();
        };
        onOutput();
      }),
    /** Resolves when the process, and every process that shares its output, has ended. */
    ended: once(child, "close").then(([code]) => ({ code: code as number | null, output, errors })),
    lines: () => output.trim().split("\n"),
  };
}

describe("a process", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("runs its shutdown steps in order at %s", async (signal) => {
    const { child, wrote, ended, lines } = start("plain");
    await wrote("ready");
    child.kill(signal);
    expect((await ended).code).toBe(0);
    expect(lines().slice(1)).toEqual(["first true", "second"]);
  });

  test("exits at once at a second signal", async () => {
    const { child, wrote, ended } = start("hang");
    await wrote("ready");
    child.kill("SIGTERM");
    await wrote("first");
    child.kill("SIGTERM");
    expect((await ended).code).toBe(143);
  });

  test("treats simultaneous signals as one stop", async () => {
    const { child, wrote, ended, lines } = start("twice");
    await wrote("ready");
    child.kill("SIGTERM");
    await wrote("first");
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
    expect(lines().at(-1)).toBe("second");
  });

  test("exits with code 1 when its steps take too long, and names the step", async () => {
    const { child, wrote, ended } = start("slow");
    await wrote("ready");
    child.kill("SIGTERM");
    const { code, errors, output } = await ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/took too long step=first/);
    expect(output).not.toContain("second");
  });

  test("continues after a failed step, and exits with code 1", async () => {
    const { child, wrote, ended } = start("fail");
    await wrote("ready");
    child.kill("SIGTERM");
    const { code, errors, output } = await ended;
    expect(code).toBe(1);
    expect(output).toContain("second");
    expect(errors).toContain("step broke");
  });

  test.each(["throw", "reject"])("logs an uncaught error and shuts down with code 1: %s", async (mode) => {
    const { code, errors, output } = await start(mode).ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/not caught.*testing-process/);
    expect(output).toContain("second");
  });
});

describe("a supervised process", () => {
  test("leaves SIGINT to its supervisor and shuts down on SIGTERM", async () => {
    const { child, wrote, ended } = start("supervised", true);
    await wrote("ready");
    child.kill("SIGINT");
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, errors: expect.stringContaining("reason=SIGTERM") });
  });

  test("shuts down when its supervisor is killed", async () => {
    const { child, wrote, ended } = start("supervisor");
    await wrote("ready");
    child.kill("SIGKILL");
    expect((await ended).output).toContain("second");
  });

  test("warns if it has no channel to a supervisor", async () => {
    const { child, wrote, ended } = start("supervised");
    await wrote("ready");
    child.kill("SIGTERM");
    expect((await ended).errors).toContain("no channel to a supervisor");
  });
});
