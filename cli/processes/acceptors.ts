import type { ChildProcess } from "node:child_process";
import { type AcceptorListening, IpcChannel, type ListeningGateway } from "#gateway";
import type { LogFormat, Logger, LogLevel } from "#runtime";
import { UsageError } from "../options/read.ts";
import { SupervisedChild } from "../up/child.ts";
import { watchHeartbeat } from "./heartbeat.ts";

/** What an acceptor is told when it starts. */
export interface AcceptorSettings extends Omit<AcceptorListening, "discovery"> {
  /** Where workers announce themselves; undefined where there are only engines. */
  readonly discoveryUrl: string | undefined;
  readonly name: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Longest time in milliseconds for running requests to end. */
  readonly drainMs: number;
}

/** The first message to an acceptor. */
export interface StartMessage {
  readonly type: "start";
  readonly settings: AcceptorSettings;
}

/** Seconds without a sign of life after which an acceptor is started again. */
const HANG_MS = 30_000;

export interface AcceptorProcesses {
  /** Lets running requests end, and ends the processes. */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Starts acceptors for a gateway, and starts those again that end by themselves.
 * @throws UsageError where the first one cannot start
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
            // One that could not start even once would fail again: its log says why.
            if (!hasStarted) reject(new UsageError(`${name} of --processes did not start (${reason}).`));
            else
              log.error("a process of the gateway ended by itself; starting it again", {
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
