/**
 * Why a device stopped, as its status words show it: the other side broke the protocol or left the window
 * (architecture §2.8), or the thread died.
 */
export const NicFault = { None: 0, Protocol: 1, Window: 2, Crashed: 3 } as const;
export type NicFault = (typeof NicFault)[keyof typeof NicFault];
