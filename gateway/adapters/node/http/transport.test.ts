import { transportSuite } from "../../../dispatch/http/transport.suite.ts";
import { NodeHttpTransport } from "./index.ts";

transportSuite(() => new NodeHttpTransport(), { isOwnHttp: true });
