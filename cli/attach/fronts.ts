import type { ChildProcess } from "node:child_process";
import { type FrontListening, IpcChannel, type ListeningGateway } from "#gateway";
import type { LogFormat, Logger, LogLevel } from "#runtime";
import { UsageError } from "../options/read.ts";
import { SupervisedChild } from "../up/child.ts";
import { watchHeartbeat } from "./heartbeat.ts";

/** What a front process is told when it starts. */
export interface FrontSettings extends Omit<FrontListening, "discovery"> {
  /** Where workers announce themselves; undefined where there are only engines. */
  readonly discoveryUrl: string | undefined;
  readonly name: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Longest time in milliseconds for running requests to end. */
  readonly drainMs: number;
}

/** The first message to a front process. */
export interface StartMessage {
  readonly type: "start";
  readonly settings: FrontSettings;
}

/** Seconds without a sign of life after which a front is started again. */
const HANG_MS = 30_000;

export interface FrontProcesses {
  /** Lets running requests end, and ends the processes. */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Starts front processes for a gateway, and starts those again that end by themselves.
 * @throws UsageError where the first one cannot start
 */
export async function startFronts(
  count: number,
  gateway: ListeningGateway,
  settings: Omit<FrontSettings, "name">,
  log: Logger,
): Promise<FrontProcesses> {
  const fronts: SupervisedChild[] = [];
  process.on("exit", () => {
    for (const front of fronts) front.kill();
  });
  await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const name = `front-${index}`;
      return new Promise<void>((resolve, reject) => {
        let hasStarted = false;
        const front = new SupervisedChild({
          name,
          args: ["front"],
          onStart: (child) => join(child, { ...settings, name }, gateway),
          watch: (child, onHang) => watchHeartbeat(child, HANG_MS, onHang),
          hangTimeoutMs: HANG_MS,
          onReady: () => {
            hasStarted = true;
            resolve();
          },
          onCrash: (reason, delayMs) => {
            // One that could not start even once would fail again: its log says why.
            if (!hasStarted) reject(new UsageError(`${name} of --processes did not start (${reason}).`));
            else
              log.error("a process of the gateway ended by itself; starting it again", {
                front: name,
                reason,
                delayMs,
              });
            return hasStarted;
          },
        });
        fronts.push(front);
        front.start();
      });
    }),
  );
  return {
    async stop(deadlineMs) {
      await Promise.all(fronts.map((front) => front.stop(deadlineMs)));
    },
  };
}

function join(child: ChildProcess, settings: FrontSettings, gateway: ListeningGateway): void {
  const start: StartMessage = { type: "start", settings };
  child.send(start);
  const leave = gateway.joinFront?.(new IpcChannel(child));
  child.once("exit", () => leave?.());
}
