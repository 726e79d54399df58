import { expect, it } from 'vitest';
import { NetBuffer, NetBufferFlag } from '../../src/memory/net-buffer.ts';

it('a NET_BUFFER is one cache line', () => {
  expect(NetBuffer.byteLength).toBe(64);
});

it('the flags of a NET_BUFFER are single bits that fit its field', () => {
  const flags: number[] = Object.values(NetBufferFlag);
  expect(flags.every(flag => flag > 0 && flag < 0x10000 && (flag & (flag - 1)) === 0)).toBe(true);
  expect(new Set(flags).size).toBe(flags.length);
});
