/**
 * Puts a checker on the adapters of a host (R5): one on each miniport's, and one on each that the stack is bound to where
 * drivers stand in between. Those of a level share a ledger of buffers.
 */
import type { AssembledHost } from './assemble-host.ts';
import { BufferLedger } from './intermediate-driver/diagnostics/buffer-ledger.ts';
import { OffloadChecker } from './intermediate-driver/diagnostics/offload-checker.ts';
import type { HostBoot } from './machine-layout.ts';
import type { Memory } from './memory/memory.ts';

export function attachCheckers(memory: Memory, boot: HostBoot, assembled: AssembledHost): OffloadChecker[] {
  const { miniports, interfaces } = assembled.host;
  const { blocks } = boot.regions;
  const low = new BufferLedger();
  const high = new BufferLedger();
  const checkers = miniports.map(
    miniport => new OffloadChecker(memory, blocks, miniport.adapter, { ledger: low, isDead: () => miniport.dead }),
  );
  const lowest = new Set(miniports.map(({ adapter }) => adapter));
  const tops = new Set(interfaces.map(({ adapter }) => adapter).filter(adapter => !lowest.has(adapter)));
  for (const adapter of tops) checkers.push(new OffloadChecker(memory, blocks, adapter, { ledger: high }));
  return checkers.map(checker => checker.attach());
}
