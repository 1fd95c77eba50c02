import { expect, test } from "vitest";
import { StatorProcess } from "../stator-process.ts";
import { StandInProcess } from "./stand-in-process.ts";

test.each([[[]], [["--processes=2"]]])(
  "Ctrl-C stops an attach that npm has started, with %j",
  async (flags: string[]) => {
    const engine = await StandInProcess.start("vllm");
    const args = ["attach", engine.url, "--port=0", "--config=none", ...flags];
    const npm = new StatorProcess(args, {}, ["npm", "run", "-s", "stator", "--"]);
    await npm.printed(/Send requests to/);
    // Like a terminal: to npm, its shell, the script and the command.
    npm.signalGroup("SIGINT");
    await npm.printed(/attach stopped exitCode=0/);
    await npm.ended();
    expect(npm.stderr + npm.stdout).not.toContain("took too long");
  },
);
