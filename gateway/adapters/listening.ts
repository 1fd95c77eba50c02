import type { GatewayOptions } from "../create-gateway.ts";
import type { Models } from "../pipeline/serving/models.ts";

/** What a gateway with a port needs beside what every gateway does. */
export interface ListeningOptions extends GatewayOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Path of the compiled router core. */
  routerWasm: string;
}

/** A gateway that listens. */
export interface ListeningGateway {
  readonly port: number;
  readonly models: Models;
  /** Lets running requests end (for as long as the deadline), then closes everything. */
  drain(deadlineMs: number): Promise<void>;
}
