/**
 * The rules of terminate (digest §3.6): what must be over before the host asks an object back, and what the device must
 * have finished when it gives it.
 */
import { NdisStatus } from '../../base/status.ts';
import type { CheckedBlock } from './block-reader.ts';
import { Custody } from './buffer-ledger.ts';
import { type CheckedObject, Phase, TCP_LAYER, violation } from './checked-object.ts';
import type { Checked } from './operation-rules.ts';
import { checkProgress } from './progress.ts';

/** The host's preconditions. A dependent may have been asked back before, by a list that is still on its way. */
export function checkTerminate({ objects }: Checked, root: number, blocks: readonly CheckedBlock[]): void {
  const here = `terminate (list ${root})`;
  for (const { object } of blocks) {
    if (object === null) continue;
    const { update, queries, invalidates, links, phase } = object;
    if (phase !== Phase.Offloaded) violation(objects, `${here} of ${object.name} (digest §3.10)`);
    if (update !== 0)
      violation(objects, `${here} of ${object.name}, whose update (list ${update}) is under way (digest §3.6)`);
    if (queries > 0) violation(objects, `${here} of ${object.name}, with a query under way (digest §3.6)`);
    if (invalidates > 0) violation(objects, `${here} of ${object.name}, with an invalidate under way (digest §3.6)`);
    if (links > 0) violation(objects, `${here} of ${object.name}, to which a list under way links (D21)`);
    object.phase = Phase.Uploading;
    object.root = root;
  }
  for (const { object } of blocks) {
    if (object === null) continue;
    for (const dependent of object.dependents) {
      if (dependent.phase !== Phase.Uploading) {
        violation(objects, `${here} of ${object.name} without ${dependent.name}, which depends on it (D21, C03)`);
      }
    }
  }
}

/** The completion: connections first, then what they depended on. */
export function terminated(checked: Checked, root: number, blocks: readonly CheckedBlock[]): void {
  for (let layer = TCP_LAYER; layer >= 0; layer--) {
    for (const block of blocks) {
      const { object } = block;
      if (object === null || block.layer !== layer) continue;
      for (const dependent of object.dependents) {
        violation(
          checked.objects,
          `terminate complete (list ${root}): ${object.name} before ${dependent.name} (digest §3.6)`,
        );
      }
      if (layer === TCP_LAYER) takeConnection(checked, block, object);
      checked.objects.forget(object);
    }
  }
}

function takeConnection(checked: Checked, block: CheckedBlock, object: CheckedObject): void {
  const { owner, objects, ledger, reader } = checked;
  const { sends, receives, forwards, disconnects } = object;
  for (const buffer of block.status === NdisStatus.Success ? reader.keptSegments(block) : []) {
    // A segment off the wire was nobody's before.
    if (forwards.delete(buffer)) ledger.leave(owner, buffer, 'terminate complete', Custody.Forward);
    ledger.enter(owner, buffer, Custody.Received, null);
  }
  if (block.status !== NdisStatus.Success) {
    // D23: nothing comes back from a device that lost the connection; what was outstanding ends with it.
    for (const buffers of [sends, receives, forwards]) ledger.forget(buffers);
    return;
  }
  const here = `terminate complete (list ${object.root}) of ${object.name}`;
  if (receives.size > 0) violation(objects, `${here}: ${receives.size} receives are unanswered (digest §3.6)`);
  if (forwards.size > 0) violation(objects, `${here}: ${forwards.size} forwards are unanswered (D24)`);
  if (disconnects > 0) violation(objects, `${here}: a disconnect is unanswered (D22)`);
  const chain = reader.sendChain(block);
  const expected = [...sends];
  if (chain.length !== expected.length || chain.some((buffer, index) => buffer !== expected[index])) {
    violation(objects, `${here}: sends [${expected.join()}] are outstanding, [${chain.join()}] came back (D04, D06)`);
  }
  for (const buffer of chain) ledger.leave(owner, buffer, 'terminate complete', Custody.Send, Custody.Disconnect);
  for (const buffer of reader.bufferedData(block)) {
    if (ledger.get(buffer) === undefined) ledger.enter(owner, buffer, Custody.Indicated, null);
  }
  // Nobody has seen them before.
  for (const buffer of reader.outOfOrder(block)) ledger.enter(owner, buffer, Custody.Indicated, null);
  const before = object.progress;
  if (before === null) return;
  const after = reader.progress(block, before.tsTime !== null);
  checkProgress(objects, object, 'its upload', before, after);
  if (object.context !== 0) objects.remember(object.context, after);
}
