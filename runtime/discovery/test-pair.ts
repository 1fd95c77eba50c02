/** For tests: a separate remote store, with a writer and a reader. */

import type { TestServer } from "../testing/test-server.ts";
import { openDiscovery } from "./open.ts";
import type { Discovery, StoreState } from "./types.ts";

export interface TestPair extends AsyncDisposable {
  readonly server: TestServer;
  readonly writer: Discovery;
  readonly reader: Discovery;
  /** The states of the store that the reader received. */
  readonly states: readonly StoreState[];
  /** The reader's background errors. */
  readonly errors: readonly string[];
  /** Resolves when the reader's latest state of the store is this one. */
  stateIs(isReachable: boolean): Promise<void>;
}

export async function openPair(
  start: () => Promise<TestServer>,
  urlOf: (host: string) => string,
): Promise<TestPair> {
  const server = await start();
  const states: StoreState[] = [];
  const errors: string[] = [];
  let check = () => {};
  const writer = await openDiscovery(urlOf(server.host));
  const reader = await openDiscovery(urlOf(server.host), {
    onState(state) {
      states.push(state);
      check();
    },
    onError: ({ message }) => errors.push(message),
  });
  return {
    server,
    writer,
    reader,
    states,
    errors,
    stateIs: (isReachable) =>
      new Promise((resolve) => {
        check = () => {
          if (states.at(-1)?.isReachable === isReachable) resolve();
        };
        check();
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([writer.close(), reader.close()]);
      await server[Symbol.asyncDispose]();
    },
  };
}
