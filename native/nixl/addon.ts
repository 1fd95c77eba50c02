/** The addon's own interface (native/nixl/addon/module.cpp), and how it is loaded. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { messageOf, TransferError } from "../errors.ts";

export const EventKind = { result: 0, notification: 1, deregistered: 2, closed: 3 } as const;
export const MemoryType = { dram: 0, vram: 1, file: 4 } as const;
export const Direction = { read: 0, write: 1 } as const;

/** Called on the event loop. `code` is empty for success. */
export type OnEvent = (
  kind: number,
  operation: number,
  code: string,
  message: string,
  payload: Buffer,
  number: bigint,
) => void;

/** A NIXL agent and its thread. Each call returns at once; results come as events. */
export interface NativeAgent {
  open(operation: number): void;
  register(
    operation: number,
    id: bigint,
    key: bigint,
    type: number,
    memory: Uint8Array | undefined,
    address: bigint,
    length: bigint,
    device: bigint,
  ): void;
  deregister(id: bigint): void;
  load(operation: number, peer: string, agentMetadata: Uint8Array, memoryMetadata: Uint8Array): void;
  forget(peer: string): void;
  /** @param pieces local offset, remote offset and length of each */
  prepare(
    operation: number,
    transfer: number,
    direction: number,
    region: bigint,
    pieces: Float64Array,
    peer: string,
    remoteType: number,
    remoteBase: bigint,
    remoteDevice: bigint,
    keyAddress: bigint,
    key: bigint,
    postNow: boolean,
    notification: Uint8Array | undefined,
  ): void;
  post(operation: number, transfer: number, notification: Uint8Array | undefined): void;
  abort(transfer: number): void;
  release(transfer: number): void;
  notify(operation: number, peer: string, message: Uint8Array): void;
  listen(enabled: boolean): void;
  stop(): void;
  /** Whether the event loop keeps running for this agent. */
  keepAlive(enabled: boolean): void;
}

export interface Addon {
  /** Zeroed memory, in huge pages if the system has them. */
  allocate(bytes: number): ArrayBuffer;
  readonly NativeAgent: new (
    library: string,
    name: string,
    /** Keys and values in turn. */
    parameters: readonly string[],
    stallMicroseconds: number,
    onEvent: OnEvent,
  ) => NativeAgent;
}

/**
 * Loads what `npm run build:native` has built; another build, with a sanitizer for example, through STATOR_NIXL_ADDON.
 * @throws TransferError `unavailable` if it has not been built or does not load
 */
export function loadAddon(): Addon {
  const path = process.env.STATOR_NIXL_ADDON || builtAddon();
  if (path === undefined || !existsSync(path)) {
    const message = "the NIXL addon is not built; npm run build:native builds it and needs a C++ compiler";
    throw new TransferError("unavailable", message);
  }
  try {
    return createRequire(path)(path) as Addon;
  } catch (cause) {
    throw new TransferError("unavailable", `the NIXL addon does not load: ${messageOf(cause)}`, { cause });
  }
}

/** Undefined in a bundle, which has no folder of its own. */
function builtAddon(): string | undefined {
  const folder: string | undefined = import.meta.dirname;
  return folder && join(folder, "../../dist/native/nixl.node");
}
