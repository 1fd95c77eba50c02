import { afterAll, afterEach } from "vitest";
import { endFile, endTest } from "./after-tests.ts";
import { removeTemporaryFolders } from "./temporary-folder.ts";

// Hooks run in reverse order: these, registered before those of the file, run after them, the last one at the end.
afterAll(removeTemporaryFolders);
afterAll(endFile);
afterEach(endTest);
