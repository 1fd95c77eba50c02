import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connected socket. */
export async function rawSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Reads a socket until the other side closes it. */
export async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  return text;
}

/** Sends raw text. @returns the whole response */
export async function rawRequest(url: string, text: string): Promise<string> {
  const socket = await rawSocket(url);
  socket.end(text);
  return readAll(socket);
}
