type End = () => void | Promise<void>;

const afterTest: End[] = [];
const afterFile: End[] = [];

/**
 * Calls `end` after every test, from a module that several test files import. Files that share a process load the module
 * once, so that an `afterEach` of its own would run only in the first of them.
 */
export const afterEveryTest = (end: End): void => void afterTest.push(end);

/** Calls `end` after every test file, likewise. */
export const afterEveryFile = (end: End): void => void afterFile.push(end);

export async function endTest(): Promise<void> {
  for (const end of afterTest) await end();
}

export async function endFile(): Promise<void> {
  for (const end of afterFile) await end();
}
