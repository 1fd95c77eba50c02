/**
 * The lower bound for a proxy on Node: copies bytes between sockets without reading them, to each engine in turn.
 * `node pipe.ts PORT URL…`
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

const [port, ...urls] = process.argv.slice(2);
const engines = urls.map((url) => new URL(url));
let turn = 0;

const server = createServer({ noDelay: true }, (client) => {
  const { hostname, port } = engines[turn++ % engines.length]!;
  const engine = connect({ host: hostname, port: Number(port), noDelay: true });
  pass(client, engine);
  pass(engine, client);
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`on port ${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", () => process.exit(0));

function pass(from: Socket, to: Socket): void {
  from.on("data", (bytes) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
}
