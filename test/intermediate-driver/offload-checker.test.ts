/**
 * Every rule of the checker fires (R5, R33; digest §3.3, §3.6, §3.10, §8.2): both sides of an adapter are driven by hand,
 * once by the rules and then against each of them.
 */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { BlockRole, OffloadStateType } from '../../src/offload/block-list.ts';
import { DisconnectFlag } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent } from '../../src/offload/events.ts';
import { TcpState } from '../../src/tcp/tcb.ts';
import { CheckedAdapter } from './checked-adapter.ts';

const CONTEXT = 7;
const { New, Linker, Placeholder } = BlockRole;

function offloaded() {
  const it = new CheckedAdapter();
  return { it, ...it.offload(CONTEXT) };
}

describe('by the rules', () => {
  test('a connection goes down, works, and comes back; every call goes through', () => {
    const { it, neighbor, path, tcp } = offloaded();
    const [first, second, posted, frame] = [it.buffer(), it.buffer(), it.buffer(), it.buffer()];
    it.down.tcpOffloadSend(tcp, first);
    it.down.tcpOffloadReceive(tcp, posted);
    it.up.tcpOffloadReceiveComplete(CONTEXT, posted, 0);
    it.up.tcpOffloadSendComplete(CONTEXT, first, 0);
    it.up.receiveFrame(frame);
    it.down.tcpOffloadForward(tcp, frame);
    it.up.tcpOffloadForwardComplete(CONTEXT, frame, 0);
    it.down.returnBuffer(frame);
    it.down.tcpOffloadSend(tcp, second);
    const block = it.block(OffloadStateType.TcpDelegated, New, tcp);
    const above = it.path(Linker, path, [block]);
    const root = it.neighbor(Linker, neighbor, [above]);
    it.down.terminateOffload(root);
    it.succeed(root, above, block);
    it.at(block).netBufferListChain = second;
    const state = it.state(block);
    state.rcvNxt = 1100;
    state.sndUna = state.sndMax = 2100;
    state.tsTime = 5005;
    it.up.terminateOffloadComplete(root);
    it.checker.checkEnd();
    expect(it.calls).toContain(`tcpOffloadSend(${tcp}, ${second})`);
    expect(it.calls.at(-1)).toBe(`terminateOffloadComplete(${root})`);
    expect(it.checker.checked).toBe(it.calls.length);
  });

  test('two queries of one object overlap, and an update beside them (C14)', () => {
    const { it, tcp } = offloaded();
    const queries = [0, 1].map(() => it.block(OffloadStateType.TcpDelegated, New, tcp));
    const update = it.block(OffloadStateType.TcpCached, New, tcp);
    for (const root of queries) it.down.queryOffload(root);
    it.down.updateOffload(update);
    for (const root of queries) {
      it.succeed(root);
      Object.assign(it.state(root), { rcvNxt: 1000, sndUna: 2000, sndMax: 2000 });
      it.up.queryOffloadComplete(root);
    }
    it.succeed(update);
    it.up.updateOffloadComplete(update);
  });

  test('a relink, and then the old neighbor is taken back (C02, C03)', () => {
    const { it, neighbor, path } = offloaded();
    const other = it.neighbor(New, 0);
    it.down.initiateOffload(other);
    it.succeed(other);
    it.up.initiateOffloadComplete(other);
    const moved = it.path(New, path);
    const relink = it.neighbor(New, it.at(other).offloadHandle, [moved]);
    it.down.updateOffload(relink);
    it.succeed(relink, moved);
    it.up.updateOffloadComplete(relink);
    const old = it.neighbor(Linker, neighbor);
    it.down.terminateOffload(old);
    it.succeed(old);
    it.up.terminateOffloadComplete(old);
    expect(it.checker.count(0)).toEqual({ certain: 1, possible: 1 });
  });

  test('a state loaded into objects that initiate made room for (Figure 3)', () => {
    const { it, tcp } = offloaded();
    const root = it.connection(0);
    it.at(root).offloadHandle = tcp;
    it.down.loadOffloadState(root);
    expect(() => it.down.tcpOffloadSend(tcp, it.buffer())).toThrow('being offloaded');
    it.succeed(root);
    it.up.loadOffloadStateComplete(root);
    it.down.tcpOffloadSend(tcp, it.buffer());
    expect(() => it.down.loadOffloadState(it.connection(0))).toThrow('not there');
  });

  test('after detach nothing is checked, and a device that was given up owes nothing (D23)', () => {
    const { it } = offloaded();
    it.checker.detach();
    it.up.initiateOffloadComplete(12);
    expect(it.calls.at(-1)).toBe('initiateOffloadComplete(12)');
  });
});

describe('completions', () => {
  test('with a block that is not the root (A17)', () => {
    const it = new CheckedAdapter();
    const path = it.path(New, 0);
    const root = it.neighbor(New, 0, [path]);
    it.down.initiateOffload(root);
    it.succeed(root, path);
    expect(() => it.up.initiateOffloadComplete(path)).toThrow(`a block of list ${root}, not its root (A17)`);
  });

  test('twice (A17)', () => {
    const it = new CheckedAdapter();
    const root = it.neighbor(New, 0);
    it.down.initiateOffload(root);
    it.succeed(root);
    it.up.initiateOffloadComplete(root);
    expect(() => it.up.initiateOffloadComplete(root)).toThrow('completed before (A17)');
  });

  test('of another kind than the operation (A17)', () => {
    const { it, tcp } = offloaded();
    const root = it.block(OffloadStateType.TcpCached, New, tcp);
    it.down.updateOffload(root);
    it.succeed(root);
    expect(() => it.up.queryOffloadComplete(root)).toThrow('the list is that of a update (A17)');
  });

  test('with a block that has no status, or links that changed (A18)', () => {
    const it = new CheckedAdapter();
    const path = it.path(New, 0);
    const root = it.neighbor(New, 0, [path]);
    it.down.initiateOffload(root);
    it.succeed(root);
    expect(() => it.up.initiateOffloadComplete(root)).toThrow(`block ${path} has no status`);
    const other = it.neighbor(New, 0);
    it.down.initiateOffload(other);
    it.at(other).nextBlock = root;
    expect(() => it.up.initiateOffloadComplete(other)).toThrow(`links of block ${other} changed`);
  });

  const statuses: [claim: string, roles: [number, number], own: number, below: number[], message: string][] = [
    ['a placeholder fails (A10)', [Placeholder, Placeholder], NdisStatus.Failure, [0], 'a placeholder is Failure'],
    [
      'a taken parent hides a failure (A08)',
      [New, New],
      0,
      [NdisStatus.Resources],
      'Success, and 1 of its dependents failed',
    ],
    ['a failed parent has a taken dependent (A04)', [New, New], NdisStatus.Failure, [0], 'a dependent was taken'],
    ['partial without a failure (A15)', [New, New], NdisStatus.OffloadPartialSuccess, [0], 'nothing failed'],
  ];
  test.each(statuses)('status: %s', (_claim, [ownRole, belowRole], own, below, message) => {
    const it = new CheckedAdapter();
    const paths = below.map(() => it.path(belowRole, 0));
    const root = it.neighbor(ownRole, 0, paths);
    it.down.initiateOffload(root);
    it.at(root).status = own;
    if (own === 0 || own === NdisStatus.OffloadPartialSuccess) it.at(root).offloadHandle = 1;
    paths.forEach((path, index) => {
      it.at(path).status = below[index]!;
      if (below[index] === 0) it.at(path).offloadHandle = 2;
    });
    expect(() => it.up.initiateOffloadComplete(root)).toThrow(message);
  });

  test('status: a linker that carried nothing through is partly successful (A07)', () => {
    const { it, neighbor } = offloaded();
    const path = it.path(New, 0);
    const root = it.neighbor(Linker, neighbor, [path]);
    it.down.initiateOffload(root);
    it.at(root).status = NdisStatus.OffloadPartialSuccess;
    it.at(path).status = NdisStatus.OffloadPathEntries;
    expect(() => it.up.initiateOffloadComplete(root)).toThrow('nothing it carries was taken');
  });

  test('a refused object with a handle, a taken one without or with that of another (A04)', () => {
    const fail = (handle: number, status: number): string => {
      const { it, neighbor } = offloaded();
      const root = it.neighbor(New, 0);
      it.down.initiateOffload(root);
      it.at(root).status = status;
      it.at(root).offloadHandle = handle < 0 ? neighbor : handle;
      try {
        it.up.initiateOffloadComplete(root);
      } catch (error) {
        return String(error);
      }
      return '';
    };
    expect(fail(5, NdisStatus.OffloadNeighborEntries)).toContain('was refused, and has a handle');
    expect(fail(0, 0)).toContain('its handle is 0');
    expect(fail(-1, 0)).toContain('the handle of a new object is that of');
  });
});

describe('what the host must not issue', () => {
  test('anything on a list, or on blocks, that are still out (A18)', () => {
    const it = new CheckedAdapter();
    const root = it.neighbor(New, 0);
    it.down.initiateOffload(root);
    expect(() => it.down.initiateOffload(root)).toThrow(`block ${root} is still in list ${root}`);
  });

  test('an object that is being offloaded, again (A14)', () => {
    const it = new CheckedAdapter();
    it.down.initiateOffload(it.connection(CONTEXT));
    expect(() => it.down.initiateOffload(it.connection(CONTEXT))).toThrow('it was offered before');
  });

  test('a connection in a state that is not offloaded (A20)', () => {
    const it = new CheckedAdapter();
    const root = it.connection(CONTEXT);
    it.state(root).state = TcpState.TimeWait;
    expect(() => it.down.initiateOffload(root)).toThrow('(A20)');
  });

  test('a linker of an object that is gone, that is a connection, or that carries nothing (A11)', () => {
    const { it, neighbor, tcp } = offloaded();
    expect(() => it.down.initiateOffload(it.neighbor(Linker, 0x999, [it.path(New, 0)]))).toThrow('not there (A11)');
    expect(() => it.down.initiateOffload(it.block(OffloadStateType.Tcp, Linker, tcp))).toThrow('cannot be a linker');
    expect(() => it.down.initiateOffload(it.neighbor(Linker, neighbor))).toThrow('carries nothing');
  });

  test('a second update before the first is completed (C10)', () => {
    const { it, neighbor } = offloaded();
    it.down.updateOffload(it.block(OffloadStateType.NeighborCached, New, neighbor));
    const second = it.block(OffloadStateType.NeighborCached, New, neighbor);
    expect(() => it.down.updateOffload(second)).toThrow(/whose update \(list \d+\) is under way \(C10\)/);
  });

  test('an update of an invalidated object (C12)', () => {
    const { it, path } = offloaded();
    const invalidate = it.path(New, path);
    it.down.invalidateOffload(invalidate);
    it.succeed(invalidate);
    it.up.invalidateOffloadComplete(invalidate);
    const update = it.block(OffloadStateType.Ip4Cached, New, path);
    expect(() => it.down.updateOffload(update)).toThrow('was invalidated (C12)');
  });

  test('a path without its connection, or a neighbor without its path (D21)', () => {
    const { it, neighbor, path } = offloaded();
    expect(() => it.down.terminateOffload(it.path(Linker, path))).toThrow(/without connection .* \(D21, C03\)/);
    const other = offloaded();
    expect(() => other.it.down.terminateOffload(other.it.neighbor(Linker, neighbor))).toThrow(
      /without path .* \(D21, C03\)/,
    );
  });

  test('the old neighbor before the relink is completed (C03)', () => {
    const { it, neighbor, path } = offloaded();
    const other = it.neighbor(New, 0);
    it.down.initiateOffload(other);
    it.succeed(other);
    it.up.initiateOffloadComplete(other);
    it.down.updateOffload(it.neighbor(New, it.at(other).offloadHandle, [it.path(New, path)]));
    expect(() => it.down.terminateOffload(it.neighbor(Linker, neighbor))).toThrow('(D21, C03)');
    const taken = it.neighbor(Linker, it.at(other).offloadHandle);
    expect(() => it.down.terminateOffload(taken)).toThrow('to which a list under way links (D21)');
  });

  test.each([
    ['update', OffloadStateType.TcpCached, 'whose update'],
    ['query', OffloadStateType.TcpDelegated, 'a query under way'],
    ['invalidate', OffloadStateType.Tcp, 'an invalidate under way'],
  ] as const)('a terminate before %s is completed (C14, D01)', (kind, type, message) => {
    const { it, tcp } = offloaded();
    it.down[`${kind}Offload`](it.block(type, New, tcp));
    expect(() => it.terminate(tcp)).toThrow(message);
  });

  test('anything on a connection that was asked back (D01, D25)', () => {
    const { it, tcp } = offloaded();
    const frame = it.buffer();
    it.up.receiveFrame(frame);
    it.terminate(tcp);
    const calls: [string, () => void][] = [
      ['send', () => it.down.tcpOffloadSend(tcp, it.buffer())],
      ['receive', () => it.down.tcpOffloadReceive(tcp, it.buffer())],
      ['disconnect', () => it.down.tcpOffloadDisconnect(tcp, 0, DisconnectFlag.Graceful)],
      ['forward', () => it.down.tcpOffloadForward(tcp, frame)],
      ['update', () => it.down.updateOffload(it.block(OffloadStateType.TcpCached, New, tcp))],
      ['query', () => it.down.queryOffload(it.block(OffloadStateType.Tcp, New, tcp))],
      ['invalidate', () => it.down.invalidateOffload(it.block(OffloadStateType.Tcp, New, tcp))],
      ['terminate', () => it.terminate(tcp)],
    ];
    for (const [what, call] of calls) expect(call, what).toThrow('being uploaded');
    // The exception: what the application consumed may be told at any time (E27, D13).
    it.down.tcpOffloadReceiveReturn(tcp, 10);
  });

  test('an abortive disconnect with data, and a buffer in two calls (E16)', () => {
    const { it, tcp } = offloaded();
    expect(() => it.down.tcpOffloadDisconnect(tcp, it.buffer(), DisconnectFlag.Abortive)).toThrow('carries data');
    const buffer = it.buffer();
    it.down.tcpOffloadSend(tcp, buffer);
    expect(() => it.down.tcpOffloadSend(tcp, buffer)).toThrow('is not answered yet (invariant 2)');
  });

  test('a return of what it does not have (E27)', () => {
    const { it } = offloaded();
    const buffer = it.buffer();
    it.up.indicateReceive(CONTEXT, buffer);
    it.down.returnBuffer(buffer);
    expect(() => it.down.returnBuffer(buffer)).toThrow('answered before');
    expect(() => it.down.tcpIndicationRefused(0, buffer, 0)).toThrow('tcpIndicationRefused');
  });
});

describe('what the device must not do', () => {
  test('complete or indicate data before the initiate is completed (B02)', () => {
    const it = new CheckedAdapter();
    const root = it.connection(CONTEXT);
    const send = it.buffer();
    it.at(root).netBufferListChain = send;
    it.down.initiateOffload(root);
    expect(() => it.up.indicateReceive(CONTEXT, it.buffer())).toThrow('(B02)');
    expect(() => it.up.tcpOffloadSendComplete(CONTEXT, send, 0)).toThrow('(B02)');
  });

  test('keep the sends of a connection that it refused (A06)', () => {
    const it = new CheckedAdapter();
    const root = it.connection(CONTEXT);
    it.at(root).netBufferListChain = it.buffer();
    it.down.initiateOffload(root);
    it.at(root).status = NdisStatus.OffloadTcpEntries;
    it.up.initiateOffloadComplete(root);
    it.checker.checkEnd();
  });

  test('complete a send twice, out of order, in the name of another, or with a strange status (D06, E17)', () => {
    const { it, tcp } = offloaded();
    const [first, second] = [it.buffer(), it.buffer()];
    it.down.tcpOffloadSend(tcp, first);
    it.down.tcpOffloadSend(tcp, second);
    it.up.tcpOffloadSendComplete(CONTEXT, first, 0);
    expect(() => it.up.tcpOffloadSendComplete(CONTEXT, first, 0)).toThrow('answered before');
    expect(() => it.up.tcpOffloadSendComplete(9, second, 0)).toThrow('says context 9, it is 7');
    const again = offloaded();
    const [one, two] = [again.it.buffer(), again.it.buffer()];
    again.it.down.tcpOffloadSend(again.tcp, one);
    again.it.down.tcpOffloadSend(again.tcp, two);
    expect(() => again.it.up.tcpOffloadSendComplete(CONTEXT, two, 0)).toThrow(`buffer ${two} before ${one}`);
    const third = offloaded();
    const buffer = third.it.buffer();
    third.it.down.tcpOffloadSend(third.tcp, buffer);
    expect(() => third.it.up.tcpOffloadSendComplete(CONTEXT, buffer, NdisStatus.Failure)).toThrow('is Failure');
  });

  test('complete a disconnect that nobody asked for, or before the sends (E17)', () => {
    const { it, tcp } = offloaded();
    expect(() => it.up.tcpOffloadDisconnectComplete(CONTEXT, 0, 0)).toThrow('of which there is no disconnect');
    it.down.tcpOffloadSend(tcp, it.buffer());
    it.down.tcpOffloadDisconnect(tcp, 0, DisconnectFlag.Graceful);
    expect(() => it.up.tcpOffloadDisconnectComplete(CONTEXT, 0, 0)).toThrow('before its 1 sends');
  });

  test('indicate anything after the terminate is completed (invariant 7)', () => {
    const { it, tcp } = offloaded();
    const { root } = it.terminate(tcp);
    it.up.terminateOffloadComplete(root);
    expect(() => it.up.indicateReceive(CONTEXT, it.buffer())).toThrow('(invariant 7)');
    expect(() => it.up.indicateEvent(CONTEXT, TcpOffloadEvent.IndicateRetrieve, 10)).toThrow('(invariant 7)');
    expect(() => it.up.indicateOffloadEvent(3, 2, 0)).toThrow('(invariant 7)');
  });

  test('tell of a FIN or a RST twice (E15)', () => {
    const { it } = offloaded();
    it.up.indicateEvent(CONTEXT, TcpOffloadEvent.IndicateDisconnect, 0);
    expect(() => it.up.indicateEvent(CONTEXT, TcpOffloadEvent.IndicateDisconnect, 0)).toThrow('for the second time');
    it.up.indicateEvent(CONTEXT, TcpOffloadEvent.IndicateAbort, 0);
    expect(() => it.up.indicateEvent(CONTEXT, TcpOffloadEvent.IndicateAbort, 0)).toThrow('for the second time (E15)');
  });

  test.each([
    ['a send that is neither completed nor in the chain (D04)', 'tcpOffloadSend', '(D04, D06)'],
    ['a receive', 'tcpOffloadReceive', 'receives are unanswered'],
    ['a disconnect (D22)', 'tcpOffloadDisconnect', '(D22)'],
    ['a forward (D24)', 'tcpOffloadForward', '(D24)'],
  ] as const)('complete a terminate with %s outstanding', (_claim, call, message) => {
    const { it, tcp } = offloaded();
    const buffer = it.buffer();
    if (call === 'tcpOffloadForward') it.up.receiveFrame(buffer);
    if (call === 'tcpOffloadDisconnect') it.down[call](tcp, 0, DisconnectFlag.Graceful);
    else it.down[call](tcp, buffer);
    const { root } = it.terminate(tcp);
    expect(() => it.up.terminateOffloadComplete(root)).toThrow(message);
  });

  test('give back sends in another order than they were posted (D06)', () => {
    const { it, tcp } = offloaded();
    const second = it.buffer();
    const first = it.buffer(second);
    it.down.tcpOffloadSend(tcp, second);
    it.down.tcpOffloadSend(tcp, it.buffer());
    const { root, tcp: block } = it.terminate(tcp);
    it.at(block).netBufferListChain = first;
    expect(() => it.up.terminateOffloadComplete(root)).toThrow('(D04, D06)');
  });

  test('complete the terminate of a path before that of its connection (D20)', () => {
    const { it, path, tcp } = offloaded();
    it.terminate(tcp);
    const root = it.path(Linker, path);
    it.down.terminateOffload(root);
    it.succeed(root);
    expect(() => it.up.terminateOffloadComplete(root)).toThrow(/path .* before connection/);
  });

  test.each([
    ['rcvNxt', 999, 'RcvNxt goes back from 1000 to 999'],
    ['sndUna', 1999, 'SndUna goes back from 2000 to 1999'],
    ['sndMax', 1999, 'SndMax goes back from 2000 to 1999'],
    ['tsTime', 4999, 'TsTime goes back from 5000 to 4999'],
  ] as const)('give %s back smaller than it was given (D16, invariant 8)', (field, value, message) => {
    const { it, tcp } = offloaded();
    const { root, tcp: block } = it.terminate(tcp);
    it.state(block)[field] = value;
    expect(() => it.up.terminateOffloadComplete(root)).toThrow(message);
  });

  test('nor may the host offer less than it was given back (D16, invariant 8)', () => {
    const { it, tcp } = offloaded();
    const { root } = it.terminate(tcp);
    it.up.terminateOffloadComplete(root);
    const again = it.connection(CONTEXT);
    it.state(again).rcvNxt = 900;
    expect(() => it.down.initiateOffload(again)).toThrow('RcvNxt goes back from 1000 to 900 at its next offload');
  });

  test('leave anything behind: an operation, an object, a buffer (invariants 3, 10)', () => {
    const { it, tcp } = offloaded();
    expect(() => it.checker.checkEnd()).toThrow('was left on the device (invariant 10)');
    it.down.queryOffload(it.block(OffloadStateType.Tcp, New, tcp));
    expect(() => it.checker.checkEnd()).toThrow('was never completed (invariant 3)');
    const other = new CheckedAdapter();
    other.down.sendFrame(other.buffer());
    expect(() => other.checker.checkEnd()).toThrow('was never answered (invariant 3)');
  });
});
