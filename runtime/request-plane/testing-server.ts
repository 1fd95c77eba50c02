// Serves endless streams at the address given, until it is killed: `node testing-server.ts unix:/path`.
import { serve } from "./server.ts";

const server = await serve(process.argv[2] ?? "", {
  stream(_, call) {
    const timer = setInterval(() => call.send(new Uint8Array(24)), 1);
    call.signal.addEventListener("abort", () => clearInterval(timer));
  },
});
console.log(server.address);
