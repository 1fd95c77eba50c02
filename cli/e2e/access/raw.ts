import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A socket that has taken a connection. */
export async function rawSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Everything that comes from a socket until the other side closes it. */
export async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  return text;
}

/** Sends a text as it is. @returns all that comes back */
export async function rawRequest(url: string, text: string): Promise<string> {
  const socket = await rawSocket(url);
  socket.end(text);
  return readAll(socket);
}
