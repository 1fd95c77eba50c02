import type { LogReader, NatsLogs } from "#runtime/node";
import { deletedMeanwhile, makerEnded } from "../../../api/responses/response.ts";
import type { Events } from "./nats-log.ts";
import type { Makers } from "./nats-makers.ts";

/** How often it is asked whether a silent response is still being made, in milliseconds. */
const SILENCE_MS = 2_000;

/**
 * The events of a response, as they come, until the last one or the end of its maker.
 * @param reader has read the log's head
 * @param from how many are left out
 */
export async function* followLog(
  logs: NatsLogs,
  makers: Makers,
  id: string,
  reader: LogReader,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let news = Promise.withResolvers<void>();
  const stop = logs.onAppend(`${id}.events`, () => news.resolve());
  const onAbort = () => news.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  let number = 0;
  let isMade = true;
  try {
    while (!signal.aborted) {
      const entry = await reader.next();
      if (entry === undefined && !isMade)
        throw (await isDeleted(logs, id)) ? deletedMeanwhile(id) : makerEnded();
      if (entry === undefined) {
        // What came while it was read has resolved this already.
        if (await isSilent(news.promise)) isMade = await makers.isMade(id);
        else news = Promise.withResolvers();
        continue;
      }
      const { from: first, events, isLast }: Events = JSON.parse(entry.text);
      if (first !== number) throw deletedMeanwhile(id);
      for (const event of events) if (number++ >= from) yield event;
      if (isLast) return;
    }
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether a log has lost its head. */
async function isDeleted(logs: NatsLogs, id: string): Promise<boolean> {
  const head = await logs.read(`${id}.events`).next();
  return head === undefined || "from" in JSON.parse(head.text);
}

/** Whether there are no news for a while. */
async function isSilent(news: Promise<void>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), SILENCE_MS);
  });
  try {
    return await Promise.race([news.then(() => false as const), silence]);
  } finally {
    clearTimeout(timer);
  }
}
