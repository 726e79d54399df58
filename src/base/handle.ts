/**
 * Handles that cross a ring: a slot and its generation in a positive int32, so that a stale one is refused
 * (architecture §2.8). 0 is never a handle.
 */
export const HANDLE_SLOT_BITS = 20;
export const HANDLE_SLOTS_MAX = 1 << HANDLE_SLOT_BITS;
const SLOT_MASK = HANDLE_SLOTS_MAX - 1;
const GENERATIONS = 1 << (31 - HANDLE_SLOT_BITS);

export function makeHandle(slot: number, generation: number): number {
  return (generation << HANDLE_SLOT_BITS) | slot;
}

export function handleSlot(handle: number): number {
  return handle & SLOT_MASK;
}

export function handleGeneration(handle: number): number {
  return handle >>> HANDLE_SLOT_BITS;
}

/** Generations run from 1, so that no handle is 0. */
export function nextGeneration(generation: number): number {
  const next = (generation + 1) % GENERATIONS;
  return next === 0 ? 1 : next;
}
