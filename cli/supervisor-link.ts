import type { ChildMessage } from "./up/child.ts";

/** Whether this process is a child of `stator up`, or of the script that runs the command from a checkout. */
export const isSupervised = () => process.connected === true;

/** Tells `stator up` how this process does, where it is one of its children. */
export function tellSupervisor(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}
