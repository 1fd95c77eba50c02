import type { ChildProcess } from "node:child_process";
import { type AcceptorListening, IpcChannel, type ListeningGateway } from "#gateway";
import type { LogFormat, Logger, LogLevel } from "#runtime";
import { UsageError } from "../options/read.ts";
import { SupervisedChild } from "../up/child.ts";
import { watchHeartbeat } from "./heartbeat.ts";

/** Settings that an acceptor gets when it starts. */
export interface AcceptorSettings extends Omit<AcceptorListening, "discovery"> {
  /** The workers' discovery; undefined if there are only attached engines. */
  readonly discoveryUrl: string | undefined;
  /** After how long running calls leave pods that are gone, in milliseconds. */
  readonly drainWithinMs: number;
  readonly name: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Drain timeout in milliseconds. */
  readonly drainMs: number;
}

/** The first message to an acceptor. */
export interface StartMessage {
  readonly type: "start";
  readonly settings: AcceptorSettings;
}

/** Milliseconds without a heartbeat after which an acceptor is restarted. */
const HANG_MS = 30_000;

export interface AcceptorProcesses {
  /** Drains running requests and stops the processes. */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Starts acceptors for a gateway and restarts them if they exit.
 * @throws UsageError if one cannot start
 */
export async function startAcceptors(
  count: number,
  gateway: ListeningGateway,
  settings: Omit<AcceptorSettings, "name">,
  log: Logger,
): Promise<AcceptorProcesses> {
  const acceptors: SupervisedChild[] = [];
  process.on("exit", () => {
    for (const acceptor of acceptors) acceptor.kill();
  });
  await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const name = `acceptor-${index}`;
      return new Promise<void>((resolve, reject) => {
        let hasStarted = false;
        const acceptor = new SupervisedChild({
          name,
          args: ["acceptor"],
          onStart: (child) => join(child, { ...settings, name }, gateway),
          watch: (child, onHang) => watchHeartbeat(child, HANG_MS, onHang),
          hangTimeoutMs: HANG_MS,
          onReady: () => {
            hasStarted = true;
            resolve();
          },
          onCrash: (reason, delayMs) => {
            // One that failed its first start would fail again; its log says why.
            if (!hasStarted) reject(new UsageError(`${name} of --processes did not start (${reason}).`));
            else
              log.error("a gateway process exited unexpectedly; restarting it", {
                acceptor: name,
                reason,
                delayMs,
              });
            return hasStarted;
          },
        });
        acceptors.push(acceptor);
        acceptor.start();
      });
    }),
  );
  return {
    async stop(deadlineMs) {
      await Promise.all(acceptors.map((acceptor) => acceptor.stop(deadlineMs)));
    },
  };
}

function join(child: ChildProcess, settings: AcceptorSettings, gateway: ListeningGateway): void {
  const start: StartMessage = { type: "start", settings };
  child.send(start);
  const leave = gateway.joinAcceptor?.(new IpcChannel(child));
  child.once("exit", () => leave?.());
}
