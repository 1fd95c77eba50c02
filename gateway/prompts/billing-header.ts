/**
 * Claude Code begins the system prompt of each request with a line of its own, whose hash (`cch`) is another each time:
 *
 *     x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;
 *
 * It is a text block in front of the others; programs that translate requests make it the first line of a text.
 */
const BILLING_HEADER = "x-anthropic-billing-header";

export const hasBillingHeader = (text: string) => text.startsWith(BILLING_HEADER);

/** The text without it, and without the line break after it. */
export const withoutBillingHeader = (text: string) => text.replace(HEADER, "");

/** Its pairs, as text may follow in the same line. */
const HEADER = /^x-anthropic-billing-header:[ \t]*(?:[\w-]+=[^;\s]*;[ \t]*)*(?:\r?\n)?/;
