import type { PlainItem } from "../responses/schemas.ts";

/** An item as conversations keep it. */
export type KeptItem = PlainItem & { readonly id: string };

type Metadata = Readonly<Record<string, string>>;

/**
 * One change of a conversation. Stores keep a conversation as the list of its changes, so that gateways that change it at
 * once do not undo each other's changes.
 */
export type Change =
  | {
      readonly type: "created";
      /** Id of the key that it belongs to; empty if clients need none. */
      readonly owner: string;
      /** In seconds since 1970. */
      readonly createdAt: number;
      readonly metadata: Metadata;
      readonly items: readonly KeptItem[];
    }
  | { readonly type: "described"; readonly metadata: Metadata }
  | { readonly type: "added"; readonly items: readonly KeptItem[] }
  | { readonly type: "removed"; readonly id: string };

/** A conversation after all of its changes. */
export interface KeptConversation {
  readonly owner: string;
  readonly createdAt: number;
  readonly metadata: Metadata;
  /** The oldest first. */
  readonly items: readonly KeptItem[];
}

/**
 * A conversation after these changes. Of items with the same id, which clients may add at once, it has the first.
 * @returns undefined if the first change, which tells whose it is, is missing
 */
export function conversationAfter([first, ...rest]: readonly Change[]): KeptConversation | undefined {
  if (first?.type !== "created") return undefined;
  const { owner, createdAt } = first;
  let { metadata } = first;
  const items = new Map<string, KeptItem>();
  const add = (added: readonly KeptItem[]) => {
    for (const item of added) if (!items.has(item.id)) items.set(item.id, item);
  };
  add(first.items);
  for (const change of rest) {
    if (change.type === "described") metadata = change.metadata;
    else if (change.type === "added") add(change.items);
    else if (change.type === "removed") items.delete(change.id);
  }
  return { owner, createdAt, metadata, items: [...items.values()] };
}
