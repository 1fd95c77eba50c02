import { expect, test } from "vitest";
import { createLogger } from "./log.ts";
import { Outage } from "./outage.ts";

test("an outage is logged once for each reason that lasts, and so is its end", () => {
  const lines: string[] = [];
  const log = createLogger({ name: "test", write: (line) => void lines.push(line) });
  const outage = new Outage(log, { lost: "it is lost", back: "it is back" });
  const take = () => lines.splice(0).map((line) => /it is.*/.exec(line)?.[0].trim());
  outage.end();
  expect([take(), outage.isOn]).toEqual([[], false]);
  for (const reason of ["one", "one", "two", "one"]) outage.report(reason);
  expect([take(), outage.isOn]).toEqual([["it is lost reason=one"], true]);
  for (const reason of ["two", "two", "two"]) outage.report(reason);
  expect(take()).toEqual(["it is lost reason=two"]);
  outage.end({ batches: 3 });
  outage.end();
  expect([take(), outage.isOn]).toEqual([["it is back batches=3"], false]);
  outage.report("two");
  expect(take()).toEqual(["it is lost reason=two"]);
});
