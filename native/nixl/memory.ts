import type { DriverMemory } from "../driver.ts";

/** Registered memory, by the id that the addon knows. */
export class NixlMemory implements DriverMemory {
  readonly id: bigint;
  readonly token: Uint8Array;
  readonly release: () => void;

  constructor(id: bigint, token: Uint8Array, release: () => void) {
    this.id = id;
    this.token = token;
    this.release = release;
  }
}
