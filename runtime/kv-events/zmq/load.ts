/** The library, loaded when it is first needed: a process without ZeroMQ pays nothing for it. */
export type Zmq = typeof import("zeromq");

/** @throws Error where there is no build of it for this machine */
export async function loadZmq(): Promise<Zmq> {
  try {
    return await import("zeromq");
  } catch (cause) {
    throw new Error("ZeroMQ does not load on this machine, and KV events over ZeroMQ need it.", { cause });
  }
}
