import type { Instance, RequestPlaneClient } from "#runtime";
import type { Member } from "./member.ts";

/** A worker of Stator's, which is sent tokens over the request plane. */
export interface WorkerMember extends Member {
  readonly kind: "worker";
  readonly instance: Instance;
  /** Undefined while it is not connected. */
  readonly client: RequestPlaneClient | undefined;
}
