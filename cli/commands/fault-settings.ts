import { messageOf } from "#runtime";
import { parseFault } from "#workers";
import { UsageError } from "../options/read.ts";

/** @throws UsageError for an invalid fault */
export function checkFaults(faults: readonly string[] | undefined): void {
  for (const fault of faults ?? []) {
    try {
      parseFault(fault);
    } catch (error) {
      const reason = messageOf(error);
      throw new UsageError(`--fault cannot be ${JSON.stringify(fault)}: ${reason.replace(/[^?]$/, "$&.")}`);
    }
  }
}
