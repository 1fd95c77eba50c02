import { parseExactly } from "../kernel/exact-json.ts";
import { isRecord } from "../kernel/json.ts";
import { withEditedValue } from "../kernel/json-fields.ts";
import type { Step } from "./fields.ts";

/** A change of one value in a JSON object. */
export interface JsonEdit {
  readonly steps: readonly Step[];
  /** What takes its place. */
  change(value: unknown): unknown;
}

/**
 * Changes values anywhere in a JSON object. Numbers stay as they are written.
 * @param body a valid JSON object; top-level fields that do not change keep their bytes
 */
export function withEdits(body: Uint8Array, edits: readonly JsonEdit[]): Uint8Array {
  const names = new Set(edits.map(({ steps }) => steps[0]));
  let result = body;
  for (const name of names) {
    const own = edits.filter(({ steps }) => steps[0] === name);
    result = withEditedValue(result, String(name), (text) => {
      let value = parseExactly(text);
      for (const { steps, change } of own) value = editedValue(value, steps.slice(1), change);
      return value;
    });
  }
  return result;
}

export function editedValue(
  value: unknown,
  [step, ...rest]: readonly Step[],
  change: JsonEdit["change"],
): unknown {
  if (step === undefined) return change(value);
  if (typeof step === "number" && Array.isArray(value))
    return value.map((item: unknown, index) => (index === step ? editedValue(item, rest, change) : item));
  if (typeof step === "string" && isRecord(value))
    return { ...value, [step]: editedValue(value[step], rest, change) };
  return value;
}
