import { messageOf } from "../errors.ts";
import { loadAddon } from "./addon.ts";
import { findNixl } from "./find.ts";

/** Whether this machine can run NIXL's tests; if not, says why once per test file. */
export const nixlIsHere: boolean = check();

function check(): boolean {
  try {
    findNixl(undefined);
    loadAddon();
    return true;
  } catch (error) {
    console.warn(`The tests with NIXL are skipped: ${messageOf(error)}`);
    return false;
  }
}
