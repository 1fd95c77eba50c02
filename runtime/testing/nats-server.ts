/** For tests: a real nats-server, with or without JetStream. */
import { isInstalled, TestServer } from "./test-server.ts";

const PROGRAM = "/usr/sbin/nats-server";

export const hasNats = await isInstalled(PROGRAM);

export const startPlainNats = (): Promise<TestServer> => startNatsWith(() => []);

/** @param more further arguments, at each start, from the folder for the server's data */
export const startNatsWith = (more: (data: string) => string[]): Promise<TestServer> =>
  TestServer.start({
    path: PROGRAM,
    args: (port, data) => ["-a", "127.0.0.1", "-p", String(port), ...more(data)],
  });

export const startNats = (...more: string[]): Promise<TestServer> =>
  startNatsWith((data) => ["-js", "-sd", data, ...more]);
