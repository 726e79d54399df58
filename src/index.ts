/**
 * The public surface of Chimney. Everything else is internal and may change.
 *
 * README.md shows it in use; docs/ARCHITECTURE.md explains what is behind it.
 */
export { createMachine } from './machine.ts';
export type { Machine, MachineEvents, MachinePeer, MachineStatus, NicHandle } from './machine.ts';
export type { DirectiveOptions, MachineOffload } from './machine-offload.ts';
export type { MachineOptions } from './machine-options.ts';
export { ChimneyError } from './base/errors.ts';
export type { TliConnection, TliHandler } from './host/connection.ts';
export type { LogEvent } from './base/event-log.ts';
