import { describe } from "vitest";
import { kvTransferSuite } from "./kv-transfer-suite.ts";

const KINDS = ["auto", "nixl", "shared-memory", "tcp"] as const;
describe.each(KINDS)("KV of llama.cpp by way of %s", kvTransferSuite);
