import type { Discovery, Logger, ServerTls, WorkerRole } from "#runtime";
import type { NatsKvEvents } from "#runtime/node";
import type { EngineOptions, WorkerDefinition } from "./define-worker.ts";
import type { KvTransferAgent } from "./kv/agent.ts";
import type { KvTransferOptions } from "./kv/serve.ts";
import type { ZmqEventsOptions } from "./kv-events.ts";
import type { KvEventsPrivacy } from "./private-kv-events.ts";

export interface WorkerHostOptions {
  definition: WorkerDefinition;
  engineOptions: EngineOptions;
  threads: number;
  discovery: Discovery;
  /** First part of the endpoint's name. */
  namespace: string;
  /** A short readable name. */
  name: string;
  /** Its part in an answer at the start; the endpoint `role` changes it. Default: as the engine's card says. */
  role?: WorkerRole | undefined;
  /** How the model writes tool calls and marks reasoning; default: as the engine's card says, or the gateway finds out. */
  toolParser?: string | undefined;
  reasoningParser?: string | undefined;
  /** Whether gateways may have it load and unload LoRA adapters. Default: no. */
  loraUpdates?: boolean | undefined;
  /** How KV travels to and from other workers. */
  kvTransfer?: KvTransferOptions | undefined;
  /** Opens the agent that transfers KV, once it is needed. Default: as `kvTransfer` says. */
  openTransferAgent?: () => Promise<KvTransferAgent>;
  /** Tags, `key=value`, by which requests can select the worker. */
  tags?: string[];
  /** Address of the request plane: `unix:/path`, `tcp:host:port`, `tls:host:port` or `nats:`. */
  listen: string;
  /** The address for discovery. @param bound the address that it listens on, which is the default */
  advertised?: (bound: string) => string;
  /** For `tls:` addresses. */
  tls?: ServerTls | undefined;
  /** URL of the NATS servers, for `nats:` addresses. */
  nats?: string | undefined;
  /** Address of `/health` and `/metrics`. Default 127.0.0.1. */
  opsHost?: string;
  /** Port of `/health` and `/metrics`; 0 picks a free one. */
  opsPort: number;
  /** The bounds of `drain` if a gateway asks it to leave, in milliseconds. Default 5,000, then 30,000 more. */
  drainWithinMs?: number;
  drainMs?: number;
  /** Also publishes the engine's KV events over ZeroMQ. */
  zmqEvents?: ZmqEventsOptions | undefined;
  /** Publishes keyed hashes in place of token ids. */
  kvEventsPrivacy?: KvEventsPrivacy | undefined;
  /** Also publishes them to this stream, once for all gateways. */
  kvEventStream?: NatsKvEvents | undefined;
  log: Logger;
}
