import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { connectionFailure } from "./connection-failure.ts";

test.each([
  ["closes the connection", (socket: Socket) => socket.end()],
  ["resets the connection", (socket: Socket) => socket.resetAndDestroy()],
  ["answers in plain text", (socket: Socket) => socket.end("HTTP/1.0 400 Bad Request\r\n\r\n")],
])("a server that %s does not speak TLS", async (_, answer) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(
    await connectionFailure(`127.0.0.1:${port}`, { ca: undefined, cert: undefined, key: undefined }),
  ).toEqual({
    message: "the server does not speak TLS at this port: remove 'tls', 'ca', 'cert' and 'key' from the URL",
    isPermanent: true,
  });
  server.close();
});
