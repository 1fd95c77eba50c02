/** For tests: a remote store of a test's own, with one who writes and one who reads. */

import type { TestServer } from "../testing/test-server.ts";
import { openDiscovery } from "./open.ts";
import type { Discovery, StoreState } from "./types.ts";

export interface TestPair extends AsyncDisposable {
  readonly server: TestServer;
  readonly writer: Discovery;
  readonly reader: Discovery;
  /** What the reader was told of the store's state. */
  readonly states: readonly StoreState[];
  /** What went wrong in the reader's background. */
  readonly errors: readonly string[];
  /** Resolves when the reader was told last that the store can be reached, or cannot. */
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
