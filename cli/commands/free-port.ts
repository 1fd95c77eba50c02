import { createServer } from "node:net";
import { UsageError } from "../options/read.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * Checks that a port is free, for commands that have much to do before they listen on it.
 * @throws UsageError if it is not
 */
export async function requireFreePort({ host, port }: Place): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(portError(error, { host, port }) ?? error));
    server.listen(port, host, () => resolve());
  });
  await new Promise((resolve) => server.close(resolve));
}

/** What to do about an error of listening; undefined for other errors. */
export function portError(error: unknown, { host, port }: Place): UsageError | undefined {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new UsageError(
        `Port ${port} is taken by another program. Choose another: --port ${port < 65_535 ? port + 1 : port - 1}.`,
      );
    case "EACCES":
      return new UsageError(`Port ${port} needs root privileges. Choose one above 1023: --port 8000.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new UsageError(`This machine has no address ${host}. Try --host 127.0.0.1 or --host 0.0.0.0.`);
  }
}
