/** Which calls are stamped, when, and in which order the reports stand. */
import { describe, expect, test } from 'vitest';
import { SendBuffer } from '../../src/packetdrill/send-buffer.ts';
import type { SendState } from '../../src/packetdrill/send-state.ts';
import { StampFlag, StampKind, TransmitStamps } from '../../src/packetdrill/transmit-stamps.ts';

const ALL = StampFlag.TxSched | StampFlag.TxSoftware | StampFlag.TxAck | StampFlag.Software | StampFlag.OptId;

class Stream {
  readonly buffer = new SendBuffer(50_000, 50_000, 0xffffffff);
  readonly stamps = new TransmitStamps(() => this.wakeups++);
  wakeups = 0;
  acked = 0;
  sent = 0;

  get state(): SendState {
    const { written } = this.buffer;
    const windows = { cwnd: 10_000, sndWnd: 0, maxSndWnd: 32_000 };
    const [queued, inFlight] = [written - this.acked, this.sent - this.acked];
    return { mss: 1000, remoteMss: 1000, ...windows, written, queued, inFlight, unsent: written - this.sent };
  }

  write(count: number): void {
    expect(this.buffer.take(count, this.state)).toBe(count);
    this.stamps.wrote(this.buffer);
  }

  /** SND.NXT and SND.UNA are there now. */
  look(us: number, sent: number, acked = this.acked): void {
    this.sent = sent;
    this.acked = acked;
    this.stamps.look(this.state, us);
  }

  get reports(): string[] {
    const names = Object.entries(StampKind);
    const nameOf = (kind: StampKind): string => names.find(([, value]) => value === kind)![0];
    return this.stamps.queue.map(({ kind, us, key }) => `${nameOf(kind)} ${key} at ${us}`);
  }
}

describe('transmit time stamps', () => {
  test('are of the last byte of a call, counted from where the option was set', () => {
    const stream = new Stream();
    stream.write(100);
    stream.look(1, 100, 100);
    stream.stamps.set(ALL, 100);
    stream.write(50);
    stream.look(2, 149);
    stream.stamps.onWire(100, 149, 2);
    expect(stream.reports).toEqual([]);
    stream.look(3, 150);
    stream.stamps.onWire(149, 150, 4);
    stream.look(5, 150, 149);
    stream.look(6, 150, 150);
    expect(stream.reports).toEqual(['Scheduled 49 at 3', 'Sent 49 at 4', 'Acknowledged 49 at 6']);
    expect(stream.wakeups).toBe(3);
  });

  test('at one instant come call by call', () => {
    const stream = new Stream();
    stream.stamps.set(ALL, 0);
    stream.write(10);
    stream.buffer.endRecord();
    stream.write(20);
    stream.look(7, 30);
    stream.stamps.onWire(0, 10, 7);
    stream.stamps.onWire(10, 30, 7);
    expect(stream.reports).toEqual(['Scheduled 9 at 7', 'Sent 9 at 7', 'Scheduled 29 at 7', 'Sent 29 at 7']);
  });

  test('of two calls in one piece of the buffer there is one, of two pieces both', () => {
    const stream = new Stream();
    stream.stamps.set(StampFlag.TxSched | StampFlag.Software | StampFlag.OptId, 0);
    stream.write(10);
    stream.write(20);
    stream.buffer.endRecord();
    stream.write(30);
    stream.look(1, 60);
    expect(stream.reports).toEqual(['Scheduled 29 at 1', 'Scheduled 59 at 1']);
  });

  test('only those that were asked for when the call was made; keys only with OPT_ID', () => {
    const stream = new Stream();
    stream.write(10);
    stream.stamps.set(StampFlag.TxAck | StampFlag.Software, 0);
    stream.buffer.endRecord();
    stream.write(10);
    stream.stamps.set(0, 0);
    stream.buffer.endRecord();
    stream.write(10);
    stream.stamps.onWire(0, 30, 1);
    stream.look(2, 30, 30);
    expect(stream.reports).toEqual(['Acknowledged 0 at 2']);
  });

  test('a byte that is on the wire again is noted, and not stamped again; the end of the connection ends it', () => {
    const stream = new Stream();
    stream.stamps.set(ALL, 0);
    stream.write(10);
    stream.stamps.onWire(0, 10, 1);
    expect(stream.stamps.isRepeated).toBe(false);
    stream.stamps.onWire(5, 10, 2);
    expect(stream.stamps.isRepeated).toBe(true);
    stream.stamps.look(null, 3);
    expect(stream.reports).toEqual(['Scheduled 9 at 1', 'Sent 9 at 1']);
    expect(stream.stamps.areAwaited).toBe(false);
  });
});
