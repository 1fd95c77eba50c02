import { vi } from "vitest";
import { stall } from "./stall.ts";

/**
 * Before each test file, sets the timeouts of its tests and hooks. Tests wait for events; timeouts only end waits for
 * events that never happen, and grow with the load of the machine.
 */
const slower = stall();
vi.setConfig({ testTimeout: 120_000 * slower, hookTimeout: 120_000 * slower });
