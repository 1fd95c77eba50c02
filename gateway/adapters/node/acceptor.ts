import type { Logger } from "#runtime";
import { type AcceptorOptions, createAcceptor } from "../../compose/create-acceptor.ts";
import type { AcceptorChannel } from "../../remote/messages.ts";
import type { ListeningOptions, ServerLimits } from "../listening.ts";
import { followTls, nodePlatform } from "./platform.ts";
import { listen } from "./server.ts";

/** An acceptor's options as plain data, which can be sent to its process. */
export interface AcceptorListening
  extends Omit<AcceptorOptions, "log" | "onDraining">,
    Pick<ListeningOptions, "host" | "port" | "tls" | "engineTls" | "workerPlane"> {
  readonly serverLimits: ServerLimits;
}

export interface ListeningAcceptor {
  readonly port: number;
  /** Waits for requests in flight until the deadline, then closes everything. */
  drain(deadlineMs: number): Promise<void>;
  /** The router process has exited: from now on, requests that need it are rejected. */
  onRouterGone(): void;
}

/**
 * Starts an acceptor of a gateway: an HTTP server on a port that it shares with the other acceptors.
 * @throws AccessError for unusable key or certificate files
 */
export async function startNodeAcceptor(
  options: AcceptorListening & { readonly log: Logger },
  channel: AcceptorChannel,
): Promise<ListeningAcceptor> {
  const { host, port, log, serverLimits: limits } = options;
  const { tls, platform } = await nodePlatform(options);
  const onDraining = () => listener.beginDrain();
  const acceptor = await createAcceptor({ ...options, onDraining }, channel, platform);
  const listener = await listen(acceptor.fetch, { host, port, limits, tls, log, isShared: true }).catch(
    (error: unknown) => {
      acceptor.close();
      throw error;
    },
  );
  const stopWatching = followTls(options, [listener]);
  return {
    port: listener.port,
    onRouterGone: () => acceptor.onRouterGone(),
    async drain(deadlineMs) {
      await listener.drain(deadlineMs, () => acceptor.cutOff());
      stopWatching();
      acceptor.close();
    },
  };
}
