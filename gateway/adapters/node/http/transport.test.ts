import { transportSuite } from "../../../wire/transport.suite.ts";
import { NodeHttpTransport } from "./index.ts";

transportSuite(() => new NodeHttpTransport(), { isOwnHttp: true });
