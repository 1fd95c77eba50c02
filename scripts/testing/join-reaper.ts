import { once } from "node:events";
import { connect } from "node:net";
import { relative } from "node:path";
import { expect } from "vitest";
import { REAPER } from "./global-setup.ts";
import { PROCESS_MARK } from "./marked-processes.ts";

/** Before each test file, registers it with the reaper, which ends leftover processes however this process ends. */
const path = process.env[REAPER];
if (path !== undefined) {
  const mark = `${path}:${process.pid}`;
  process.env[PROCESS_MARK] = mark;
  const reaper = connect(path);
  await once(reaper, "connect");
  // The connection stays open until this process ends.
  reaper.write(`${mark}\n${relative(process.cwd(), expect.getState().testPath ?? "")}`);
  reaper.unref();
}
