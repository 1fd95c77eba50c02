import { afterAll } from "vitest";
import { removeTemporaryFolders } from "./temporary-folder.ts";

// Hooks run in reverse order: this one, registered before those of the file, runs after they have ended its processes.
afterAll(removeTemporaryFolders);
