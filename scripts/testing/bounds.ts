import { vi } from "vitest";
import { stall } from "./stall.ts";

/**
 * Before each test file: how long its tests and hooks may take. They wait for events; these bounds only end a wait for
 * one that never comes, and grow with what else this machine has to do.
 */
const slower = stall();
vi.setConfig({ testTimeout: 120_000 * slower, hookTimeout: 120_000 * slower });
