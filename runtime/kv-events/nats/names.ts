import type { ServerUrl } from "../../server-url.ts";

const DEFAULT_NAME = "stator";

/** Names of a stream and its subjects, all from the URL's /NAME. */
export interface StreamNames {
  readonly stream: string;
  /** What the publishers' subjects begin with. */
  readonly prefix: string;
}

/** @throws Error if the URL's path cannot be a name in NATS */
export function streamNames({ path }: ServerUrl): StreamNames {
  if (!/^[\w-]*$/.test(path))
    throw new Error(
      `The name of a NATS stream consists of letters, digits, '-' and '_': '${path}' is not valid.`,
    );
  const name = path || DEFAULT_NAME;
  return { stream: `${name}-kv-events`, prefix: `${name}.kv_events` };
}

/** The subjects of a publisher, each below its own. The stream keeps the first two. */
export const liveSubject = (subject: string): string => `${subject}.live`;
export const snapshotSubject = (subject: string): string => `${subject}.snapshot`;
export const headSubject = (subject: string): string => `${subject}.head`;
