import type { TransferAgent } from "./native-face.ts";

export async function openTransferAgent(_address: string): Promise<TransferAgent> {
  throw new Error("No transfer yet.");
}
