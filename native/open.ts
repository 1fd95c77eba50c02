import { Agent, type OpenDriver } from "./agent.ts";
import { messageOf, TransferError } from "./errors.ts";
import { hasSharedMemory, hostIdentity } from "./host.ts";
import { openNixl } from "./nixl/driver.ts";
import { findNixl, type NixlInstallation } from "./nixl/find.ts";
import { openSharedMemory } from "./shared-memory/driver.ts";
import { openTcp } from "./tcp/driver.ts";
import type { TransferAgent, TransferAgentOptions } from "./transfer.ts";

const STALL_TIMEOUT_MS = 30_000;

/**
 * Opens a transfer agent.
 * @throws TransferError `unavailable` if this machine lacks the kind that was asked for, and why
 */
export async function openTransferAgent(options: TransferAgentOptions): Promise<TransferAgent> {
  const { kind = "auto", name, stallTimeoutMs = STALL_TIMEOUT_MS } = options;
  const host = hostIdentity();
  const tcp: OpenDriver = (context) => openTcp(context, options.tcp ?? {});
  const open = (drivers: readonly OpenDriver[], choice: string) =>
    Agent.open({ name, host, stallTimeoutMs, choice }, drivers);

  if (kind === "tcp") return open([tcp], "tcp: configured");
  if (kind === "shared-memory") {
    if (!hasSharedMemory())
      throw new TransferError("unavailable", "The kind shared-memory needs /dev/shm, as Linux has it.");
    return open([openSharedMemory], "shared-memory: configured");
  }

  const nixl = (found: NixlInstallation): OpenDriver => {
    return (context) => openNixl(context, found, options.nixl?.parameters ?? {});
  };
  if (kind === "nixl") {
    const found = findNixl(options.nixl?.library);
    return open([nixl(found)], `nixl: configured; ${found.why}`);
  }

  const fallbacks = [...(hasSharedMemory() ? [openSharedMemory] : []), tcp];
  const names = hasSharedMemory() ? "shared memory on this host and TCP to others" : "TCP";
  try {
    const found = findNixl(options.nixl?.library);
    return await open([nixl(found), ...fallbacks], `nixl: ${found.why}; ${names} where a peer lacks it`);
  } catch (error) {
    // A configured library that does not work is an error; one that is merely not there is not.
    if (options.nixl?.library !== undefined) throw error;
    return open(fallbacks, `${names}, because NIXL is unavailable: ${messageOf(error)}`);
  }
}
