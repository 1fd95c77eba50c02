import type { NatsConnection } from "@nats-io/transport-node";
import { messageOf } from "../message-of.ts";
import {
  parseServerUrl,
  readTlsFiles,
  readUrlFile,
  type ServerUrl,
  ServerUrlError,
  type ServerUrlForm,
  type TlsFiles,
} from "../server-url.ts";

const FORM: ServerUrlForm = {
  name: "NATS",
  form: "nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][,HOST[:PORT]…][/NAME][?tls&ca=FILE&cert=FILE&key=FILE&creds=FILE]",
  defaultPort: 4222,
  options: ["tls", "ca", "cert", "key", "creds"],
};

/**
 * @param place the URL without its scheme
 * @throws ServerUrlError
 */
export const parseNatsUrl = (place: string): ServerUrl => parseServerUrl(place, FORM);

/**
 * Connects, and reconnects whenever a server is reachable again.
 * @param timeoutMs timeout of the first connection
 * @throws ServerUrlError if a file named in the URL cannot be read; Error if the connection times out or the login is
 *   rejected
 */
export async function connectToNats(url: ServerUrl, timeoutMs: number): Promise<NatsConnection> {
  const { connect, credsAuthenticator } = await import("@nats-io/transport-node");
  const { hosts, user, secret } = url;
  const [tls, creds] = await Promise.all([readTlsFiles(url, FORM), readUrlFile(url, "creds", FORM)]);
  const login = secret === undefined ? {} : user === undefined ? { token: secret } : { user, pass: secret };
  return connect({
    servers: [...hosts],
    name: "stator",
    timeout: timeoutMs,
    // By default, reconnecting is given up after 20 s, and a hung server is noticed only after minutes.
    maxReconnectAttempts: -1,
    // So is a connection whose login was rejected twice, although its users may come back with the server's settings.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 2_000,
    maxPingOut: 2,
    ...login,
    ...(creds !== undefined && { authenticator: credsAuthenticator(creds) }),
    ...(tls !== undefined && { tls: asText(tls) }),
  });
}

/** How long `patiently` retries, in milliseconds. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 250;

/**
 * Connects, and retries for a while: the server may be starting alongside this process.
 * @param onWait called once, before the second attempt, with what `connect` threw
 * @throws what `connect` throws, at once if trying again cannot help
 */
export async function patiently<Value>(
  connect: () => Promise<Value>,
  onWait: (error: unknown) => void = () => {},
): Promise<Value> {
  const until = performance.now() + PATIENCE_MS;
  let isFirst = true;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      const isRejected = /authori[sz]ation|certificate|self.signed/i.test(String(error));
      if (error instanceof ServerUrlError || isRejected || performance.now() > until) throw error;
      if (isFirst) onWait(error);
      isFirst = false;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Why these servers cannot be used, as a sentence's beginning. */
export function natsReason(error: unknown, { hosts }: ServerUrl): string {
  const message = messageOf(error);
  const reason = /no responders|503|jetstream (?:is )?not enabled/i.test(message)
    ? `${message}: is JetStream on (nats-server -js)?`
    : message;
  return `NATS at ${hosts.join(", ")}: ${reason}`;
}

const asText = ({ ca, cert, key }: TlsFiles) => ({
  ...(ca !== undefined && { ca: ca.toString() }),
  ...(cert !== undefined && { cert: cert.toString() }),
  ...(key !== undefined && { key: key.toString() }),
});
