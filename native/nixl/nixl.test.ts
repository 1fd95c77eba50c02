import { transferSuite } from "../transfer.suite.ts";
import { nixlIsHere } from "./testing.ts";

transferSuite("nixl", nixlIsHere);
