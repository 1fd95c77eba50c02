import { describe } from "vitest";
import { kvTransferSuite } from "./kv-transfer-suite.ts";

// `kv-transfer.slow.test.ts` tests every kind of transfer.
describe("KV of llama.cpp by the default transfer", () => kvTransferSuite("auto"));
