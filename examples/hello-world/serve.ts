// Serves the service until Ctrl-C: `npm run example examples/hello-world/serve.ts -- --discovery file:/tmp/hello`.
import { runService } from "#services";
import { hello } from "./hello.ts";

await runService(hello);
