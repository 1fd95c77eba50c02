import { TransferError } from "./errors.ts";
import type { TransferAgent, TransferAgentOptions } from "./transfer.ts";

/**
 * Opens a transfer agent.
 * @throws TransferError `unavailable` if a kind was asked for that this machine does not have
 */
export async function openTransferAgent(options: TransferAgentOptions): Promise<TransferAgent> {
  throw new TransferError("unavailable", `No kind of transfer is built in yet (${options.kind ?? "auto"}).`);
}
