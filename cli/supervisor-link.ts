import type { Lifecycle } from "#runtime/node";

/** A message from a child to its supervisor. */
export interface ChildMessage {
  type: "ready";
  /** The gateway's address, or that of a worker's health and metrics. */
  url: string;
}

/** Holds the name of a process that `stator up` or `stator attach --processes` starts, in its environment. */
export const SUPERVISED = "SUPERVISED_BY_STATOR";

/** Whether a Stator supervisor started this process, which then leaves Ctrl-C to the supervisor. */
export const isSupervised = () => supervisedName() !== undefined;

/** The name that the supervisor gave this process; undefined without a supervisor. */
export const supervisedName = () => (process.connected === true ? process.env[SUPERVISED] : undefined);

/** Shuts down when the script that runs the command from a checkout is gone. Ctrl-C reaches this process itself. */
export function followParent(lifecycle: Lifecycle): void {
  if (process.connected && !isSupervised())
    process.once("disconnect", () => lifecycle.shutdown("the parent process is gone"));
}

/** Sends a message to the supervisor, if there is one. */
export function notifySupervisor(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}
