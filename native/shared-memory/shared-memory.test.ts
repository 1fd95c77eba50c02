import { transferSuite } from "../transfer.suite.ts";

transferSuite("shared-memory", process.platform === "linux");
