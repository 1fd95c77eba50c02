import { within } from "#runtime";
import { EngineApiError } from "../../engines/index.ts";

/** @throws EngineApiError `timeout` if the check takes longer */
export const answeredWithin = <Value>(ms: number, check: Promise<Value>): Promise<Value> =>
  within(
    ms,
    check,
    () => new EngineApiError("timeout", `The engine did not answer a health check within ${ms / 1000} s.`),
  );

/** Varies a time by up to a quarter, so that many gateways and engines do not synchronize. */
export const jittered = (ms: number) => ms * (0.75 + Math.random() / 2);
