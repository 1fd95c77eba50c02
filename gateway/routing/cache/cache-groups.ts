import type { KvEvent, UnreadableKvEvent } from "#runtime";

/** What is known of the caches of one worker's rank. */
interface Groups {
  /** The one that its blocks in the index are of. */
  followed: number;
  /** Whether group 0 was seen to keep only windows. */
  isFirstWindowed: boolean;
  /** Whether group 0 was ever seen to store something. */
  hasFirst: boolean;
  /** Events of windows that could not be read, while they were followed. */
  oddWindows: number;
}

/** As many unreadable events of a windowed cache say nothing: another one may be followed soon. */
const MOST_ODD_WINDOWS = 20;

/** Whether the first cache will do. */
const isUseful = ({ hasFirst, isFirstWindowed }: Groups) => hasFirst && !isFirstWindowed;

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
      if (group === 0) {
        groups.hasFirst = true;
        groups.isFirstWindowed ||= event.isWindowed ?? false;
        // Another one was followed only because the first had not been heard of.
        if (groups.followed !== 0 && !groups.isFirstWindowed) {
          groups.followed = 0;
          onChange();
        }
      } else if (groups.followed === 0 && !isUseful(groups) && !event.isWindowed) {
        groups.followed = group;
        onChange();
      }
    }
    return group === groups.followed;
  }

  /** The first cache has stored something, and it is not windowed. */
  noteFirst(slot: Slot): void {
    this.#of(slot).hasFirst = true;
  }

  /** An event came of which only this can be read. */
  note(slot: Slot, { group, isWindowed }: UnreadableKvEvent): void {
    if (group === 0 && isWindowed) this.#of(slot).isFirstWindowed = true;
  }

  /** Whether what it told is missing from what is known of the cache that is followed. */
  isMissed(slot: Slot, { group, isWindowed }: UnreadableKvEvent): boolean {
    const groups = this.#of(slot);
    if (group !== groups.followed) return false;
    // Layers that keep windows or states are often told of first, and those to follow after them.
    return !isWindowed || ++groups.oddWindows > MOST_ODD_WINDOWS;
  }

  #of(slot: Slot): Groups {
    const groups = this.#groups.get(slot) ?? {
      followed: 0,
      isFirstWindowed: false,
      hasFirst: false,
      oddWindows: 0,
    };
    this.#groups.set(slot, groups);
    return groups;
  }
}
