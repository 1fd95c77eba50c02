import type { KvEvent, UnreadableKvEvent } from "#runtime";

/** Which of a rank's cache groups is followed, and why. */
export interface FollowedGroup {
  /** The group whose blocks are in the index. */
  followed: number;
  /** Whether group 0 keeps only windows. */
  isFirstWindowed: boolean;
  /** Whether group 0 has stored anything. */
  hasFirst: boolean;
}

/** What is known about the cache groups of one worker's rank. */
interface Groups extends FollowedGroup {
  /** Unreadable events from the followed group while it was windowed. */
  unreadableWindowed: number;
}

/** This many unreadable events from a windowed group are ignored, because another group may be followed soon. */
const MOST_UNREADABLE_WINDOWED = 20;

/** Whether the first group can be followed. */
const isFirstUsable = ({ hasFirst, isFirstWindowed }: Groups) => hasFirst && !isFirstWindowed;

/**
 * Picks the cache group to follow of engines that have several, one for each kind of layer. All groups store the same
 * tokens under the same hashes, in blocks of their own size, but evict them at different times. A prompt's blocks are
 * useful as long as the full-attention layers have them, so their group is followed; if none is known, the first.
 */
export class CacheGroups<Slot extends object> {
  readonly #groups = new WeakMap<Slot, Groups>();

  /** Whether the first group of each of these slots is followed. */
  followsFirst(slots: readonly Slot[]): boolean {
    return slots.every((slot) => (this.#groups.get(slot)?.followed ?? 0) === 0);
  }

  /**
   * Whether the event is from the followed group. If the event changes which group is followed, first calls `onChange`,
   * because what is known about the slot's cache was from the previous group.
   */
  follows(slot: Slot, event: KvEvent, onChange: () => void): boolean {
    if (event.type === "cleared") return true;
    const groups = this.#of(slot);
    const { group = 0 } = event;
    if (event.type === "stored") {
      if (group === 0) {
        groups.hasFirst = true;
        groups.isFirstWindowed ||= event.isWindowed ?? false;
        // Another group was followed only because the first had not stored anything yet.
        if (groups.followed !== 0 && !groups.isFirstWindowed) {
          groups.followed = 0;
          onChange();
        }
      } else if (groups.followed === 0 && !isFirstUsable(groups) && !event.isWindowed) {
        groups.followed = group;
        onChange();
      }
    }
    return group === groups.followed;
  }

  /** What another gateway needs to continue; undefined if nothing is known. */
  followedBy(slot: Slot): FollowedGroup | undefined {
    return this.#groups.get(slot);
  }

  /** Continues where another gateway is. */
  take(slot: Slot, group: FollowedGroup): void {
    Object.assign(this.#of(slot), group);
  }

  /** Group 0 has stored blocks, and is not windowed. */
  onFirstStored(slot: Slot): void {
    this.#of(slot).hasFirst = true;
  }

  /** An unreadable event has arrived. */
  onUnreadable(slot: Slot, { group, isWindowed }: UnreadableKvEvent): void {
    if (group === 0 && isWindowed) this.#of(slot).isFirstWindowed = true;
  }

  /** Whether an unreadable event makes what is known about the followed group incomplete. */
  isMissed(slot: Slot, { group, isWindowed }: UnreadableKvEvent): boolean {
    const groups = this.#of(slot);
    if (group !== groups.followed) return false;
    // Events of windowed or recurrent layers often arrive before those of the group to follow.
    return !isWindowed || ++groups.unreadableWindowed > MOST_UNREADABLE_WINDOWED;
  }

  #of(slot: Slot): Groups {
    const groups = this.#groups.get(slot) ?? {
      followed: 0,
      isFirstWindowed: false,
      hasFirst: false,
      unreadableWindowed: 0,
    };
    this.#groups.set(slot, groups);
    return groups;
  }
}
