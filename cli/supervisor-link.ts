import type { Lifecycle } from "#runtime/node";

/** What a child tells its supervisor. */
export interface ChildMessage {
  type: "ready";
  /** The gateway's address, or that of a worker's health and metrics. */
  url: string;
}

/** Set in the environment of the processes that `stator up` and `stator attach --processes` start. */
export const SUPERVISED = "SUPERVISED_BY_STATOR";

/** Whether a supervisor of Stator's started this process: Ctrl-C is the supervisor's then. */
export const isSupervised = () => process.connected === true && process.env[SUPERVISED] === "1";

/** The script that runs the command from a checkout may be killed; Ctrl-C, however, is for this process. */
export function followParent(lifecycle: Lifecycle): void {
  if (process.connected && !isSupervised())
    process.once("disconnect", () => lifecycle.shutdown("the parent process is gone"));
}

/** Tells `stator up` how this process does, where it is one of its children. */
export function tellSupervisor(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}
