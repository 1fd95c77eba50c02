/**
 * Moves memory between processes and hosts: NIXL through a Node-API addon, with shared memory and TCP as fallbacks.
 * @example
 * await using agent = await openTransferAgent({ name: "decode-1" });
 * using memory = await agent.allocate(bytes);
 * using peer = await agent.connect(metadataFromPeer);
 * await peer.read({ local: memory, remote: descriptorFromPeer });
 */
export { TransferError, type TransferErrorCode } from "./errors.ts";
export { openTransferAgent } from "./open.ts";
export type {
  DeviceSource,
  FileSource,
  MemorySource,
  Peer,
  PostOptions,
  PreparedTransfer,
  Range,
  Registration,
  TransferAgent,
  TransferAgentOptions,
  TransferKind,
  TransferNotification,
  TransferResult,
  TransferSpec,
  TransferTelemetry,
  TransferTls,
} from "./transfer.ts";
