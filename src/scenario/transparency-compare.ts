/**
 * What two runs of a seed must have in common: what TCP guarantees to the applications (RFC 9293 3.1, 3.6; R1).
 *
 * A connection that nobody aborts is determined wholly by its scripts. Of each end, in both runs, exactly:
 *   connected once; the peer's bytes, all, in order, each once; the peer's end after the last of them, once;
 *   a completion for each send, once, in the order of the sends; closed, once, Normal, after everything else
 * A connection to a port where nobody listens: closed, once, Refused, and nothing else.
 * An aborted connection, judged in each run for itself: the aborting end is told Aborted, the other one Reset, and then
 * nothing; after its call the aborting end sees no bytes and no end. Bytes are a prefix of what the peer sent, completions
 * one of the sends, and the peer's end comes after all or not at all. The prefix has at least what the scripts themselves
 * prove to have been received: the aborting end waited for bytes which the other sent only after it had received so many;
 * where that is all there was, it is exact. RST and a lost last ACK of the handshake may keep the other end from ever
 * hearing of the connection; and where both close before one aborts, it may have ended before, in order.
 *
 * How bytes are cut into pieces, how completions and bytes mix, and the time of everything are TCP's choice.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Observation } from './transparency-application.ts';
import type { ConnectionScript, EndScript, Step } from './transparency-script.ts';

export type Seen = readonly [Observation, Observation];

/** Both runs, connection by connection; null when nothing differs from what the scripts determine. */
export function firstDifference(
  scripts: readonly ConnectionScript[],
  without: readonly Seen[],
  offloaded: readonly Seen[],
): string | null {
  for (const [at, script] of scripts.entries()) {
    for (const end of [0, 1] as const) {
      const plain = without[at]![end];
      const handed = offloaded[at]![end];
      const judge = (seen: Observation): string => judgeEnd(script, end, seen);
      const [plainFault, handedFault] = [judge(plain), judge(handed)];
      const isComparable = abortStep(script) === null;
      if (plainFault === '' && handedFault === '' && (!isComparable || isDeepStrictEqual(plain, handed))) continue;
      return [
        `connection ${script.index}, ${end === 0 ? 'connecting' : 'accepting'} end`,
        `  without offload: ${describe(plain)}${plainFault === '' ? '' : ` WRONG: ${plainFault}`}`,
        `  with offload:    ${describe(handed)}${handedFault === '' ? '' : ` WRONG: ${handedFault}`}`,
      ].join('\n');
    }
  }
  return null;
}

function describe(seen: Observation): string {
  const { connected, received, wrongAt, endedAt, cookies, closed, misplaced } = seen;
  const wrong = wrongAt < 0 ? '' : `, wrong from ${wrongAt}`;
  const stray = misplaced.length === 0 ? '' : `, ${misplaced.join(', ')}`;
  return (
    `connected ${connected}, ${received} bytes${wrong}, end at ${endedAt}, completions [${cookies.join(' ')}], ` +
    `closed ${closed === '' ? 'never' : closed}${stray}`
  );
}

/** What is wrong about what this end saw, or nothing. */
function judgeEnd(script: ConnectionScript, end: 0 | 1, seen: Observation): string {
  if (seen.wrongAt >= 0) return 'bytes';
  if (seen.misplaced.length > 0) return 'order of events';
  if (script.refused) return judgeRefused(end, seen);
  return abortStep(script) === null ? judgeWhole(script, end, seen) : judgeAborted(script, end, seen);
}

function judgeRefused(end: 0 | 1, seen: Observation): string {
  if (seen.connected > 0 || seen.received > 0 || seen.endedAt >= 0) return 'nobody listens';
  return seen.closed === (end === 0 ? 'Refused' : '') ? '' : 'close reason';
}

function judgeWhole(script: ConnectionScript, end: 0 | 1, seen: Observation): string {
  const own = script.ends[end];
  const peerBytes = bytesOf(script.ends[end === 0 ? 1 : 0]);
  if (seen.connected !== 1) return 'connected';
  if (seen.received !== peerBytes) return `bytes, the peer sends ${peerBytes}`;
  if (seen.endedAt !== peerBytes) return "the peer's end";
  if (!isDeepStrictEqual(seen.cookies, cookiesOf(own))) return `completions, not [${cookiesOf(own).join(' ')}]`;
  return seen.closed === 'Normal' ? '' : 'close reason';
}

function judgeAborted(script: ConnectionScript, end: 0 | 1, seen: Observation): string {
  const { ends } = script;
  const cut = abortStep(script)!;
  const isOwn = ends[end].steps.includes(cut);
  if (seen.connected > 1) return 'connected';
  if (seen.connected === 0) return isOwn || seen.closed !== '' ? 'connected' : '';
  const most = bytesOf(ends[end === 0 ? 1 : 0]);
  const least = isOwn ? cut.received : provenReceived(ends[end], cut.received);
  if (seen.received < least || seen.received > most) return `bytes, between ${least} and ${most}`;
  if (seen.endedAt >= 0 && seen.endedAt !== most) return "the peer's end";
  const cookies = cookiesOf(ends[end]).slice(0, seen.cookies.length);
  if (!isDeepStrictEqual(seen.cookies, cookies)) return 'completions';
  const mayBeNormal = ends.every(each => each.steps.some(({ kind }) => kind === 'close' || kind === 'last'));
  const cutReason = isOwn ? 'Aborted' : 'Reset';
  return seen.closed === cutReason || (mayBeNormal && seen.closed === 'Normal') ? '' : 'close reason';
}

/** What an end must have received before the peer could receive so many bytes of it. */
function provenReceived(end: EndScript, peerReceived: number): number {
  let sent = 0;
  let proven = 0;
  for (const { kind, amount, received } of end.steps) {
    if (sent >= peerReceived) break;
    if (!isSend(kind)) continue;
    proven = Math.max(proven, received);
    sent += amount;
  }
  return proven;
}

function abortStep(script: ConnectionScript): Step | null {
  for (const { steps } of script.ends) {
    const cut = steps.find(({ kind }) => kind === 'abort');
    if (cut !== undefined) return cut;
  }
  return null;
}

function isSend(kind: Step['kind']): boolean {
  return kind === 'send' || kind === 'write' || kind === 'last';
}

function bytesOf(end: EndScript): number {
  return end.steps.reduce((sum, { kind, amount }) => sum + (isSend(kind) ? amount : 0), 0);
}

/** Cookies are numbers of steps, from 1. */
function cookiesOf(end: EndScript): number[] {
  return end.steps.flatMap(({ kind }, at) => (isSend(kind) ? [at + 1] : []));
}
