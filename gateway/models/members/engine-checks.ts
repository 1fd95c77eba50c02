import { EngineApiError } from "../../engines/index.ts";

/** @throws EngineApiError `timeout` if the promise takes longer */
export function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new EngineApiError("timeout", `The engine did not answer a health check within ${ms / 1000} s.`),
        ),
      ms,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Varies a time by up to a quarter, so that many gateways and engines do not synchronize. */
export const jittered = (ms: number) => ms * (0.75 + Math.random() / 2);
