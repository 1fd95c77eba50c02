import { describe, expect, test } from "vitest";
import { type Resident, Residents } from "./residents.ts";

const never = new AbortController().signal;

/** Something that notes when it is closed. */
class Item {
  readonly name: string;
  readonly log: string[];

  constructor(name: string, log: string[]) {
    this.name = name;
    this.log = log;
    log.push(`+${name}`);
  }

  async close(): Promise<void> {
    this.log.push(`-${this.name}`);
  }
}

function setUp(most: number) {
  const log: string[] = [];
  const residents = new Residents<Item>(most);
  const make = async (name: string) => new Item(name, log);
  const add = (name: string) =>
    residents.add(async () => ({ context: await make(name), reopen: () => make(name) }));
  const use = async (resident: Resident<Item>) => {
    await residents.enter(resident, never);
    residents.exit(resident);
  };
  return { log, residents, add, use };
}

describe("residents", () => {
  test("make room for each other: the least recently used one goes", async () => {
    const { log, add, use } = setUp(2);
    const [a, b] = [await add("a"), await add("b")];
    await use(a);
    const c = await add("c");
    await use(b);
    await use(c);
    expect(log).toEqual(["+a", "+b", "-b", "+c", "-a", "+b"]);
  });

  test("in use stay, and the next one waits for the first that is not", async () => {
    const { log, residents, add } = setUp(2);
    const [a, b] = [await add("a"), await add("b")];
    await residents.enter(a, never);
    await residents.enter(b, never);
    const c = add("c");
    residents.exit(b);
    await c;
    expect(log).toEqual(["+a", "+b", "-b", "+c"]);
  });

  test("leave at once when retired, or when their last user leaves", async () => {
    const { log, residents, add } = setUp(2);
    const [a, b] = [await add("a"), await add("b")];
    await residents.enter(a, never);
    await residents.retire(a);
    await residents.retire(b);
    expect(log).toEqual(["+a", "+b", "-b"]);
    residents.exit(a);
    expect(log).toEqual(["+a", "+b", "-b", "-a"]);
    expect(residents.contexts).toEqual([]);
  });

  test("are not waited for by users who leave, nor kept for them", async () => {
    const { log, residents, add } = setUp(1);
    const a = await add("a");
    const b = await add("b");
    await residents.enter(b, never);
    const leaving = new AbortController();
    const entered = residents.enter(a, leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(entered).rejects.toThrow("gone");
    await residents.retire(a);
    residents.exit(b);
    await expect.poll(() => log).toEqual(["+a", "-a", "+b", "-b", "+a", "-a"]);
    expect(residents.contexts).toEqual([]);
  });

  test("that cannot be made again are tried again", async () => {
    const residents = new Residents<Item>(1);
    const log: string[] = [];
    let failures = 1;
    const reopen = async () => {
      if (failures-- > 0) throw new Error("no memory");
      return new Item("a", log);
    };
    const a = await residents.add(async () => ({ context: new Item("a", log), reopen }));
    await residents.add(async () => ({ context: new Item("b", log), reopen }));
    await expect(residents.enter(a, never)).rejects.toThrow("no memory");
    await residents.enter(a, never);
    expect(log).toEqual(["+a", "-a", "+b", "-b", "+a"]);
  });
});
