import type { Discovery, DiscoveryEvent, JsonValue, Watch } from "./types.ts";

/** A watch that records its events and the resulting entries. */
export interface WatchLog {
  readonly events: DiscoveryEvent[];
  /** The entries according to the events. */
  readonly entries: Map<string, JsonValue>;
  readonly watch: Watch;
  /** Resolves when the entries satisfy `condition`. */
  until(condition: (entries: Map<string, JsonValue>) => boolean): Promise<void>;
}

export async function watchLog(discovery: Discovery, prefix: string): Promise<WatchLog> {
  const events: DiscoveryEvent[] = [];
  const entries = new Map<string, JsonValue>();
  let check = () => {};
  const watch = await discovery.watch(prefix, (event) => {
    events.push(event);
    if (event.type === "snapshot") for (const [key, value] of event.entries) entries.set(key, value);
    if (event.type === "put") entries.set(event.key, event.value);
    if (event.type === "delete") entries.delete(event.key);
    check();
  });
  return {
    events,
    entries,
    watch,
    until: (condition) =>
      new Promise((resolve) => {
        check = () => {
          if (condition(entries)) resolve();
        };
        check();
      }),
  };
}
