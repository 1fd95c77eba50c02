/** A value inside parsed JSON; undefined if there is none. */
export function valueIn(json: unknown, ...path: readonly string[]): unknown {
  let value = json;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value ?? undefined;
}

export function numberIn(json: unknown, ...path: readonly string[]): number | undefined {
  const value = valueIn(json, ...path);
  return typeof value === "number" ? value : undefined;
}

/** A number above 0, such as a size that others are divided by. */
export function positiveIn(json: unknown, ...path: readonly string[]): number | undefined {
  const value = numberIn(json, ...path);
  return value !== undefined && value > 0 ? value : undefined;
}

export function textIn(json: unknown, ...path: readonly string[]): string | undefined {
  const value = valueIn(json, ...path);
  return typeof value === "string" ? value : undefined;
}

export function isTrueIn(json: unknown, ...path: readonly string[]): boolean {
  return valueIn(json, ...path) === true;
}
