import { z } from "zod";
import type { Handler } from "./request-plane/types.ts";
import { version } from "./version.ts";

/** The endpoint that every server of the request plane has, by which it is examined. */
export const statusEndpoint = "status";

const statusSchema = z.object({ version: z.string(), time: z.number() });

/** What a process says about itself. */
export interface ProcessStatus {
  /** Stator's version. */
  readonly version: string;
  /** Its clock: milliseconds since the epoch. */
  readonly time: number;
}

export const statusHandler: Handler = (_payload, call) => {
  call.send(new TextEncoder().encode(JSON.stringify({ version, time: Date.now() })));
  call.end();
};

/** Decodes an answer. @returns undefined if it is something else */
export function decodeStatus(bytes: Uint8Array): ProcessStatus | undefined {
  try {
    return statusSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}
