import { isIP } from "node:net";
import type { Etcd3 } from "etcd3";
import type { EtcdAddress } from "./address.ts";

/** Timeout of one attempt of a call, in milliseconds. etcd3 sets none by default. */
const CALL_MS = 2_000;

/** Options of streaming calls, for which etcd3 has no defaults. */
export const withDeadline = () => ({ deadline: Date.now() + CALL_MS });

/** Loads etcd3 lazily and creates a client, which connects on the first call. */
export async function createClient({ members, user, password, tls }: EtcdAddress): Promise<Etcd3> {
  const [{ Etcd3, isRecoverableError }, { ConstantBackoff, handleWhen, noop, retry }] = await Promise.all([
    import("etcd3"),
    import("cockatiel"),
  ]);
  if (tls !== undefined && members.some((member) => isIP(hostOf(member)) !== 0)) await allowIpServerName();
  return new Etcd3({
    hosts: members.map((member) => `${tls === undefined ? "http" : "https"}://${member}`),
    ...(tls !== undefined && { credentials: await credentialsOf(tls) }),
    ...(user !== undefined &&
      password !== undefined && { auth: { username: user, password, callOptions: withDeadline } }),
    defaultCallOptions: ({ isStream }) => (isStream ? {} : withDeadline()),
    faultHandling: {
      // etcd3's circuit breaker would reject calls for seconds after etcd is back.
      host: () => noop,
      // Every retry goes to another member.
      global:
        members.length === 1
          ? noop
          : retry(handleWhen(isRecoverableError), {
              maxAttempts: members.length - 1,
              backoff: new ConstantBackoff(0),
            }),
      watchBackoff: new ConstantBackoff(500).next(),
    },
    dialTimeout: CALL_MS,
    grpcOptions: {
      // etcd sends GOAWAY if pings arrive more often than every 5 s.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 3_000,
      "grpc.keepalive_permit_without_calls": 1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.min_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
    },
  });
}

const hostOf = (member: string) => member.slice(0, member.lastIndexOf(":")).replaceAll(/[[\]]/g, "");

/**
 * gRPC names an IP address as the server's name in TLS, and cannot be told otherwise. Servers ignore the name, but Node
 * warns of the first one in a process: this is that first one, without the warning.
 */
async function allowIpServerName(): Promise<void> {
  const [{ connect }, { PassThrough }] = await Promise.all([import("node:tls"), import("node:stream")]);
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    connect({ socket: new PassThrough(), servername: "127.0.0.1" })
      .on("error", () => {})
      .destroy();
  } finally {
    process.noDeprecation = noDeprecation ?? false;
  }
}

async function credentialsOf({ ca, cert, key }: NonNullable<EtcdAddress["tls"]>) {
  const { rootCertificates } = await import("node:tls");
  return {
    rootCertificate: ca ?? Buffer.from(rootCertificates.join("\n")),
    ...(key !== undefined && cert !== undefined && { privateKey: key, certChain: cert }),
  };
}
