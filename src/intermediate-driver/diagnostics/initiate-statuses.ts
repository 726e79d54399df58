/**
 * What an initiate may write into the blocks of a tree (digest §2.2, §2.4): the fate of a block against that of its
 * immediate dependents, and against its role.
 *
 *   placeholder   SUCCESS, whatever became of its dependents (A09, A10)
 *   linker        SUCCESS all taken, PARTIAL_SUCCESS some, FAILURE none (A07, A08)
 *   new           its own result; PARTIAL_SUCCESS when it was taken and a dependent was not
 *
 * Whether PARTIAL_SUCCESS of a dependent makes its parent PARTIAL_SUCCESS is an option of the target (A15): both pass.
 */
import { isOffloaded, NdisStatus, statusName } from '../../base/status.ts';
import { BlockRole } from '../../offload/block-list.ts';

export interface BlockFate {
  readonly role: number;
  readonly status: number;
  readonly dependents: readonly BlockFate[];
}

/** What is wrong with a block's status, or null. */
export function wrongInitiateStatus(block: BlockFate): string | null {
  const { role, status, dependents } = block;
  const is = statusName(status);
  if (role === BlockRole.Placeholder) return status === NdisStatus.Success ? null : `a placeholder is ${is}`;
  const real = dependents.filter(each => each.role !== BlockRole.Placeholder);
  if (!isOffloaded(status)) {
    // A04, A05: nothing below a block that failed is attempted. A linker fails when all that it carries do.
    return real.some(each => isOffloaded(each.status)) ? `it is ${is}, and a dependent was taken` : null;
  }
  const failed = real.filter(each => !isOffloaded(each.status)).length;
  const isPartlyPartial = real.some(each => each.status === NdisStatus.OffloadPartialSuccess);
  if (failed === 0 && status === NdisStatus.OffloadPartialSuccess && !isPartlyPartial)
    return `it is ${is}, and nothing failed`;
  if (failed > 0 && status === NdisStatus.Success) return `it is ${is}, and ${failed} of its dependents failed`;
  if (failed > 0 && failed === real.length && role === BlockRole.Linker)
    return `a linker is ${is}, and nothing it carries was taken`;
  return null;
}
