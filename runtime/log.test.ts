import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./log.ts";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({ name: "gateway", colour: false, ...options, write: (line) => lines.push(line) });
  return { log, lines };
}

test("the text format has time, level, name, message and fields", () => {
  const { log, lines } = capture();
  log.info("worker joined", { worker: "llama-0", model: "smol lm", absent: undefined, blocks: 12 });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} info {2}gateway worker joined worker=llama-0 model="smol lm" blocks=12\n$/,
  );
});

test("the json format has one object per line, and no field overrides the head", () => {
  const { log, lines } = capture({ format: "json" });
  log.warn("slow", { level: "error", size: 3n, cause: new Error("boom") });
  const entry = JSON.parse(lines[0] ?? "");
  expect(entry).toMatchObject({ level: "warn", name: "gateway", message: "slow", size: "3" });
  expect(entry.cause).toContain("Error: boom");
  expect(new Date(entry.time).getTime()).toBeGreaterThan(0);
});

test("levels below the set one are not written", () => {
  const { log, lines } = capture({ level: "warn" });
  log.info("no");
  log.debug("no");
  log.error("yes");
  expect(lines).toHaveLength(1);
  expect(log.isEnabled("warn")).toBe(true);
  expect(log.isEnabled("info")).toBe(false);
});

test("a child adds its fields, and can have another name", () => {
  const { log, lines } = capture();
  log.child({ name: "llama-0", request: "req-1" }).child({ step: 2 }).info("done");
  expect(lines[0]).toContain("llama-0 done request=req-1 step=2");
});

test("line breaks in messages and values are escaped", () => {
  const { log, lines } = capture();
  log.info("a\nb", { value: "c\nd", error: new Error("e\nf") });
  expect(lines[0]?.trimEnd()).not.toContain("\n");
});

test("unprintable values do not throw", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  for (const format of ["text", "json"] as const) {
    const { log, lines } = capture({ format });
    log.info("loop", { loop });
    expect(lines[0]).toContain("loop");
  }
});

test("colours are opt-in", () => {
  const { log, lines } = capture({ colour: true });
  log.error("red");
  expect(lines[0]).toContain("\x1b[31merror\x1b[0m");
});
