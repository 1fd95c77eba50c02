// Calls the service: `npm run example examples/hello-world/call.ts -- --discovery file:/tmp/hello`.
import { parseArgs } from "node:util";
import { connectService } from "#services";
import { hello } from "./hello.ts";

const { values } = parseArgs({ options: { discovery: { type: "string", default: "file:/tmp/hello" } } });
const client = await connectService(hello, { discovery: values.discovery });
for await (const word of client.generate({ text: "distributed world" })) console.log(word);
await client.close();
