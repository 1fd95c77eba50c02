import type { Logger } from "#runtime";
import { createFront, type FrontOptions } from "../../compose/create-front.ts";
import type { FrontChannel } from "../../remote/messages.ts";
import type { ListeningOptions, ServerLimits } from "../listening.ts";
import { followTls, nodePlatform } from "./platform.ts";
import { listen } from "./server.ts";

/** What a front process listens with, as plain data. */
export interface FrontListening
  extends Omit<FrontOptions, "log" | "onDraining">,
    Pick<ListeningOptions, "host" | "port" | "tls" | "engineTls"> {
  readonly serverLimits: ServerLimits;
}

export interface ListeningFront {
  readonly port: number;
  /** Lets running requests end (for as long as the deadline), then closes everything. */
  drain(deadlineMs: number): Promise<void>;
  /** The router process has gone: what needs it is refused from now on. */
  onRouterGone(): void;
}

/**
 * A front process of a gateway: HTTP at a port that others of its kind listen at too.
 * @throws AccessError for files of keys or certificates that cannot be used
 */
export async function startNodeFront(
  options: FrontListening & { readonly log: Logger },
  channel: FrontChannel,
): Promise<ListeningFront> {
  const { host, port, log, serverLimits: limits } = options;
  const { tls, platform } = await nodePlatform(options);
  const onDraining = () => listener.beginDrain();
  const front = await createFront({ ...options, onDraining }, channel, platform);
  const listener = await listen(front.fetch, { host, port, limits, tls, log, isShared: true }).catch(
    (error: unknown) => {
      front.close();
      throw error;
    },
  );
  const stopWatching = followTls(options, [listener]);
  return {
    port: listener.port,
    onRouterGone: () => front.onRouterGone(),
    async drain(deadlineMs) {
      await listener.drain(deadlineMs, () => front.cutOff());
      stopWatching();
      front.close();
    },
  };
}
