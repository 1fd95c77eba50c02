import { gatewayCommands } from "./commands/gateway-commands.ts";
import { runToExit } from "./run.ts";

// The `stator` command of the executable (`npm run build:binary`).
runToExit(process.argv.slice(2), gatewayCommands);
