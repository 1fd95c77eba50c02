import type { KvEvent } from "#runtime";

/** What is known of the caches of one worker's rank. */
interface Groups {
  /** The one that its blocks in the index are of. */
  followed: number;
  /** Whether group 0 was seen to keep only windows. */
  isFirstWindowed: boolean;
}

/**
 * Picks the cache to follow of engines that have several, one for each kind of layer: all store the same tokens, in
 * blocks of their own size and under the same hashes, and lose them at different times. A prompt's blocks are useful
 * while the layers that look at all of it have them, so that is the one; where none is known, the first.
 */
export class CacheGroups<Slot extends object> {
  readonly #groups = new WeakMap<Slot, Groups>();

  /** Whether only the first cache of these slots is followed, as where there is no other. */
  followsFirst(slots: readonly Slot[]): boolean {
    return slots.every((slot) => (this.#groups.get(slot)?.followed ?? 0) === 0);
  }

  /**
   * Whether the event is of the cache that is followed. `onChange` is called before, where this event shows that it is
   * another than the one before: what is known of the slot was of that one.
   */
  takes(slot: Slot, event: KvEvent, onChange: () => void): boolean {
    if (event.type === "cleared") return true;
    const groups = this.#of(slot);
    const { group = 0 } = event;
    if (event.type === "stored") {
      if (group === 0) groups.isFirstWindowed ||= event.isWindowed ?? false;
      else if (groups.followed === 0 && groups.isFirstWindowed && !event.isWindowed) {
        groups.followed = group;
        onChange();
      }
    }
    return group === groups.followed;
  }

  #of(slot: Slot): Groups {
    const groups = this.#groups.get(slot) ?? { followed: 0, isFirstWindowed: false };
    this.#groups.set(slot, groups);
    return groups;
  }
}
