import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { commandHelp } from "../commands/help.ts";
import { configurationPage, configurationPath } from "./docs.ts";
import { readOptions, UsageError } from "./read.ts";
import { gatewayOptions, upOptions, workerOptions } from "./tables.ts";

const folder = temporaryFolder();

function yaml(text: string): string {
  const path = join(folder, `${crypto.randomUUID()}.yaml`);
  writeFileSync(path, text);
  return path;
}

const up = (argv: string[], env: NodeJS.ProcessEnv = {}) => readOptions(upOptions, argv, env).options;

describe("options", () => {
  test("fall back to defaults", () => {
    expect(up([])).toMatchObject({
      port: 8000,
      host: "127.0.0.1",
      "prefill-workers": 0,
      engine: "llama",
      policy: "kv",
      alias: [],
    });
    expect(up([]).model).toBeUndefined();
  });

  test("in flags override variables, which override the file", () => {
    const file = yaml("port: 1001\nworkers: 3\npolicy: random\nalias: [a, b]\n");
    const env = { STATOR_CONFIG: file, STATOR_PORT: "1002", STATOR_WORKERS: "4", HOME: "/home/ann" };
    expect(up(["--port", "1003"], env)).toMatchObject({
      port: 1003,
      workers: 4,
      policy: "random",
      alias: ["a", "b"],
    });
    expect(up([`--config=${file}`, "--alias=x,y"])).toMatchObject({ port: 1001, alias: ["x", "y"] });
  });

  test.each([
    [["--prot=1"], {}, "Unknown option --prot. Did you mean --port?"],
    [[], { STATOR_PROT: "1" }, "Unknown option STATOR_PROT. Did you mean STATOR_PORT?"],
    [["--port=x"], {}, '--port cannot be "x": it must be a number.'],
    [["--port"], {}, "--port needs a value"],
    [["--port", "--host", "::1"], {}, "--port needs a value"],
    [["--port=1.5"], {}, '--port cannot be "1.5": it must be a whole number.'],
    [[], { STATOR_PORT: "70000" }, 'STATOR_PORT cannot be "70000": it must be at most 65535.'],
    [["--policy=kw"], {}, '--policy cannot be "kw": it must be one of kv, round-robin'],
    [["--config=/no/such/file"], {}, "Cannot read /no/such/file"],
  ])("%j with %j is refused: %s", (argv, env, message) => {
    expect(() => up(argv, env)).toThrow(UsageError);
    expect(() => up(argv, env)).toThrow(message);
  });

  test.each([
    ["prot: 1", "Did you mean port?"],
    ["port: [1]", "port cannot be [1]: it must be a number."],
    ["- port", "must contain options"],
    ["port: 'a", "Cannot read"],
  ])("the file %j is refused: %s", (text, message) => {
    expect(() => up([`--config=${yaml(text)}`])).toThrow(message);
  });

  test("of other commands are allowed in the same file and environment", () => {
    const file = yaml("workers: 3\nops-port: 5\ndiscovery: file:/x\n");
    expect(readOptions(gatewayOptions, [`--config=${file}`], {}).options.discovery).toBe("file:/x");
    expect(readOptions(workerOptions, [], { STATOR_WORKERS: "3" }).options.sequences).toBeUndefined();
  });
});

test("--help of every command lists its options", async () => {
  for (const [name, specs] of Object.entries({
    up: upOptions,
    gateway: gatewayOptions,
    worker: workerOptions,
  })) {
    const help = commandHelp[name]!();
    for (const option of Object.keys(specs)) expect(help).toContain(`--${option} `);
    expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThan(160);
  }
});

test("docs/configuration.md is up to date (npm run docs writes it)", () => {
  expect(readFileSync(configurationPath, "utf8")).toBe(configurationPage());
});

test("an adapter's name stands for one path, and is printable", () => {
  expect(up(["--lora", "a=b", "--lora", "a=b,c=d"]).lora).toHaveLength(3);
  expect(() => up(["--lora", "a=b", "--lora", "a=c"])).toThrow(
    /the adapter 'a' is given twice, with different paths; give it once, or rename one\.$/,
  );
  expect(() => up(["--lora", "a\u0007=b"])).toThrow(/must not have control characters/);
});
