import { FetchTransport } from "./fetch-transport.ts";
import { transportSuite } from "./transport.suite.ts";

transportSuite(() => new FetchTransport(), { isOwnHttp: false });
