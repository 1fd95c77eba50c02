// Serves endless streams at the address given, until it is killed: `node testing-server.ts unix:/path [PING_MS]`.
import { serve } from "./server.ts";

const [, , address = "", pingMs = "2000"] = process.argv;
const server = await serve(
  address,
  {
    stream(_, call) {
      const timer = setInterval(() => call.send(new Uint8Array(24)), 1);
      call.signal.addEventListener("abort", () => clearInterval(timer));
    },
  },
  { pingMs: Number(pingMs) },
);
console.log(server.address);
