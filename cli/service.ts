import { setTimeout as sleep } from "node:timers/promises";
import {
  createLogger,
  type Discovery,
  type DiscoveryOptions,
  type LogFormat,
  type Logger,
  type LogLevel,
  type StoreState,
} from "#runtime";
import { type Lifecycle, manageLifecycle, openDiscovery } from "#runtime/node";
import { failureOf } from "./failure.ts";
import { UsageError } from "./options/read.ts";
import { followParent, isSupervised } from "./supervisor-link.ts";
import { removeOrphanedRunFolder } from "./up/run-folder.ts";

/** The parts that a gateway process and a worker process share. */
export interface Service {
  log: Logger;
  lifecycle: Lifecycle;
  discovery: Discovery;
}

interface ServiceOptions {
  discovery: string | undefined;
  "log-level": LogLevel;
  "log-format": LogFormat;
  "drain-timeout": number;
  "drain-within": number;
  "drain-delay"?: number;
}

/** What discovery by a cluster's pods must know of this process. */
export type PodDiscovery = Pick<DiscoveryOptions, "isWorker" | "workerTls">;

/** Time after the drain for the rest of a shutdown, in milliseconds. */
const AFTER_DRAIN_MS = 5_000;

/**
 * Runs a command that has a log. With `--log-format json`, fatal errors and Node's warnings are logged as JSON too.
 * @throws what `run` throws, if the format is text
 */
export async function logged(
  name: string,
  options: Pick<ServiceOptions, "log-level" | "log-format">,
  run: () => Promise<number>,
): Promise<number> {
  const { "log-format": format, "log-level": level } = options;
  if (format !== "json") return run();
  const log = createLogger({ name, format, level });
  process.removeAllListeners("warning").on("warning", (warning) => log.warn(String(warning)));
  try {
    return await run();
  } catch (error) {
    const { message, exitCode } = failureOf(error);
    log.error(message, level === "debug" ? { error } : undefined);
    return exitCode;
  }
}

/**
 * Opens the process's log and discovery, and manages its shutdown.
 * @param name the process's name in its log
 * @throws UsageError without `--discovery`, or if it does not open
 */
export function openService(name: string, options: ServiceOptions, pods?: PodDiscovery): Promise<Service> {
  if (options.discovery === undefined) {
    throw new UsageError(
      "--discovery is required, such as file:/tmp/stator, the same for gateways and workers.",
    );
  }
  return openServiceAt(options.discovery, name, options, pods);
}

/** The same with the discovery that the command sets. */
export async function openServiceAt(
  url: string,
  name: string,
  options: Omit<ServiceOptions, "discovery">,
  pods: PodDiscovery = {},
): Promise<Service> {
  const log = createLogger({ name, level: options["log-level"], format: options["log-format"] });
  const deadlineMs = (options["drain-delay"] ?? 0) * 1000 + drainMs(options) + AFTER_DRAIN_MS;
  const lifecycle = manageLifecycle({ log, deadlineMs, supervised: isSupervised() });
  followParent(lifecycle);
  const onError = (error: Error) => log.warn("discovery error", { reason: error.message });
  const onState = ({ isReachable, reason, outageMs }: StoreState) => {
    if (isReachable) log.info("discovery is reachable again", { outageSeconds: Math.round(outageMs / 1000) });
    else log.warn("discovery is unreachable; continuing with the last known state", { reason });
  };
  const drainWithinMs = options["drain-within"] * 1000;
  const own = { onError, onState, drainWithinMs, ...pods };
  const discovery = await openDiscovery(url, own).catch((error: Error) => {
    throw new UsageError(`--discovery: ${error.message}`);
  });
  return { log, lifecycle, discovery };
}

/** What a process serves, and how it stops. */
export interface Serving {
  /** Announces that it is about to stop, to those that send requests. */
  beginDrain?(): void;
  /** Lets running requests finish, up to a deadline. */
  drain(deadlineMs: number): Promise<void>;
}

/** Serves until the process is stopped, then drains requests and leaves discovery. */
export function serveUntilStopped(
  { lifecycle, discovery }: Service,
  options: Pick<ServiceOptions, "drain-timeout" | "drain-delay"> & { discovery?: string | undefined },
  { beginDrain, drain }: Serving,
): Promise<never> {
  lifecycle.onShutdown("notify load balancers", async () => {
    beginDrain?.();
    // Ctrl-C comes from a person at a terminal, who has no load balancer.
    if (lifecycle.stopping.reason === "SIGTERM") await sleep((options["drain-delay"] ?? 0) * 1000);
  });
  lifecycle.onShutdown("drain requests", () => drain(drainMs(options)));
  lifecycle.onShutdown("leave discovery", () => discovery.close());
  lifecycle.onShutdown("clean up after a dead supervisor", () => {
    if (options.discovery !== undefined) removeOrphanedRunFolder(options.discovery);
  });
  return new Promise<never>(() => {});
}

const drainMs = (options: Pick<ServiceOptions, "drain-timeout">) => options["drain-timeout"] * 1000;
