import { expect, test } from "vitest";
import { connectionLimit } from "./open-files.ts";

test.each([
  [10_000, 1_048_576, 10_000],
  [10_000, 256, 96],
  [50, 256, 50],
  [10_000, 40, 16],
  [10_000, undefined, 10_000],
])("a limit of %i connections and %s open files allows %i", (wanted, files, expected) => {
  if (files === undefined) expect(connectionLimit(wanted)).toBeLessThanOrEqual(expected);
  else expect(connectionLimit(wanted, files)).toBe(expected);
});
