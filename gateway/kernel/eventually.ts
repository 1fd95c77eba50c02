/** A value that is there at once, or later. */
export type Eventually<Value> = Value | Promise<Value>;

/** Calls `use` with the value: at once, if it is there. @param value never rejects */
export function whenThere<Value>(value: Eventually<Value>, use: (value: Value) => void): void {
  if (value instanceof Promise) void value.then(use);
  else use(value);
}

/** What `map` makes of the value. */
export const mapped = <Value, Result>(
  value: Eventually<Value>,
  map: (value: Value) => Result,
): Eventually<Result> => (value instanceof Promise ? value.then(map) : map(value));
