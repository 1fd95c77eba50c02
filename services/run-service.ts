import { parseArgs } from "node:util";
import { createLogger, DiscoveryError, type LogLevel, logLevels, messageOf } from "#runtime";
import { manageLifecycle } from "#runtime/node";
import type { ServiceDefinition } from "./define-service.ts";
import { openStore } from "./open-store.ts";
import { serveService } from "./serve-service.ts";

const DRAIN_MS = 30_000;
const AFTER_DRAIN_MS = 5_000;

const USAGE = `Options:
  --discovery URL           where clients find it: file:/dir, etcd://HOST:PORT or nats://HOST:PORT
  --name NAME               its name in logs and metrics
  --listen ADDR             tcp:HOST:PORT, unix:/path or nats:
  --advertise HOST[:PORT]   the address by which clients reach that port
  --nats URL                NATS servers for --listen nats:
  --tls-cert FILE --tls-key FILE --tls-client-ca FILE
  --ops-host ADDR           address for /health and /metrics (127.0.0.1)
  --ops-port N              port for them; 0 picks a free one
  --log-level LEVEL         ${logLevels.join(", ")}
`;

/**
 * Runs a service as this process, by the process's own arguments, until SIGTERM or Ctrl-C; then it drains.
 * @throws never: a wrong argument ends the process with exit code 2 and a sentence, a service that cannot start with 1
 */
export async function runService(service: ServiceDefinition, args = process.argv.slice(2)): Promise<void> {
  try {
    await run(service, args);
  } catch (error) {
    const isUsage =
      error instanceof UsageError || (error instanceof DiscoveryError && error.code === "bad_url");
    const message = error instanceof Error ? error.message.trim() : String(error);
    process.stderr.write(isUsage ? `${message}\n\n${USAGE}` : `${message}\n`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

async function run(service: ServiceDefinition, args: readonly string[]): Promise<void> {
  const values = parse(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.discovery === undefined)
    throw new UsageError("--discovery is required, such as file:/tmp/services.");
  const level = values["log-level"] ?? "info";
  if (!isLogLevel(level)) throw new UsageError(`--log-level must be one of ${logLevels.join(", ")}.`);
  const log = createLogger({ name: values.name ?? service.name, level });
  const discovery = await openStore(values.discovery, {
    onError: ({ message }) => log.warn("discovery error", { reason: message }),
  });
  const { "tls-cert": cert, "tls-key": key, "tls-client-ca": clientCa } = values;
  const served = await serveService(service, {
    discovery,
    discoveryUrl: values.discovery,
    name: values.name,
    listen: values.listen,
    advertise: values.advertise,
    nats: values.nats,
    tls: cert !== undefined && key !== undefined ? { cert, key, clientCa } : undefined,
    opsHost: values["ops-host"],
    opsPort: Number(values["ops-port"] ?? 0),
    log,
  }).catch(async (error: unknown) => {
    await discovery.close();
    throw error;
  });
  const lifecycle = manageLifecycle({ log, deadlineMs: DRAIN_MS + AFTER_DRAIN_MS });
  lifecycle.onShutdown("drain requests", () => served.drain(DRAIN_MS));
  lifecycle.onShutdown("leave discovery", () => discovery.close());
}

/** @throws UsageError */
function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
}

/** A wrong argument. */
class UsageError extends Error {}

const OPTIONS = {
  discovery: { type: "string" },
  name: { type: "string" },
  listen: { type: "string" },
  advertise: { type: "string" },
  nats: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-client-ca": { type: "string" },
  "ops-host": { type: "string" },
  "ops-port": { type: "string" },
  "log-level": { type: "string" },
  help: { type: "boolean" },
} as const;

const isLogLevel = (text: string): text is LogLevel => (logLevels as readonly string[]).includes(text);
