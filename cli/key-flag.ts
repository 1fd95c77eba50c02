/** The flag of curl with the client's key, if the gateway needs one. */
export const keyFlag = (needsKey: boolean): string => (needsKey ? ` -H "authorization: Bearer $KEY"` : "");
