import { transferSuite } from "../transfer.suite.ts";

transferSuite("tcp");
