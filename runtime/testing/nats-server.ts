/** For tests: a real nats-server, with or without JetStream. */
import { isInstalled, TestServer } from "./test-server.ts";

const PROGRAM = "/usr/sbin/nats-server";

export const hasNats = await isInstalled(PROGRAM);

export const startPlainNats = (): Promise<TestServer> => startNatsWith(() => []);

/** @param more further arguments, at each start */
export const startNatsWith = (more: () => string[]): Promise<TestServer> =>
  TestServer.start({ path: PROGRAM, args: (port) => ["-a", "127.0.0.1", "-p", String(port), ...more()] });

export const startNats = (...more: string[]): Promise<TestServer> =>
  TestServer.start({
    path: PROGRAM,
    args: (port, data) => ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", data, ...more],
  });
