/** What the remote end counts for TCP_INFO. */
import { expect, test } from 'vitest';
import { WireRecord } from '../../src/packetdrill/wire-record.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';

const { Syn, Ack } = TcpFlag;

function opened(iss: number): WireRecord {
  const record = new WireRecord();
  record.sent(Syn, iss, 0);
  record.received(Syn | Ack, 0, (iss + 1) | 0, 0, [], 0);
  return record;
}

test('segments, bytes and retransmissions are counted as struct tcp_info has them', () => {
  const iss = -500;
  const record = opened(iss);
  record.sent(Ack, (iss + 1) | 0, 1000);
  record.sent(Ack, (iss + 1001) | 0, 500);
  record.sent(Ack, (iss + 1) | 0, 1000);
  expect(record.info(0)).toMatchObject({
    tcpi_segs_out: 4,
    tcpi_data_segs_out: 3,
    tcpi_bytes_sent: 2500,
    tcpi_bytes_retrans: 1000,
    tcpi_total_retrans: 1,
    tcpi_delivered: 1,
    tcpi_bytes_acked: 0,
  });
});

test('a segment is delivered once, by a SACK or an ACK', () => {
  const record = opened(100);
  record.sent(Ack, 101, 1000);
  record.sent(Ack, 1101, 1000);
  record.sent(Ack, 2101, 1000);
  record.received(Ack, 1, 101, 0, [1101, 2101], 5000);
  expect(record.info(5000)).toMatchObject({ tcpi_delivered: 2, tcpi_bytes_acked: 0 });
  record.received(Ack, 1, 3101, 0, [], 6000);
  expect(record.info(9000)).toMatchObject({ tcpi_delivered: 4, tcpi_bytes_acked: 3000, tcpi_last_ack_recv: 3 });
});

test('what comes in is counted, new bytes once', () => {
  const record = opened(100);
  record.received(Ack, 1, 101, 1000, [], 10_000);
  record.received(Ack, 1, 101, 1000, [], 20_000);
  expect(record.info(50_000)).toMatchObject({
    tcpi_segs_in: 3,
    tcpi_data_segs_in: 2,
    tcpi_bytes_received: 1000,
    tcpi_last_data_recv: 30,
  });
});

test('text goes on behind a number when more was sent, or more is written', () => {
  const record = opened(100);
  record.sent(Ack, 101, 1000);
  expect(record.goesOnBehind(600, 0)).toBe(true);
  expect(record.goesOnBehind(1101, 1000)).toBe(false);
  expect(record.goesOnBehind(1101, 1001)).toBe(true);
});

test('an ACK is more than those before it, or is not', () => {
  const record = opened(100);
  expect([-5, -5, -6, 3].map(ack => record.acknowledges(ack))).toEqual([true, false, false, true]);
});

test('out of order is what has something missing before it, also when it comes twice', () => {
  const record = opened(100);
  record.received(Ack, 1001, 101, 1000, [], 0);
  record.received(Ack, 3001, 101, 1000, [], 0);
  record.received(Ack, 3001, 101, 1000, [], 0);
  expect(record.info(0)).toMatchObject({ tcpi_rcv_ooopack: 3 });
  record.received(Ack, 1, 101, 1000, [], 0);
  record.received(Ack, 1, 101, 1000, [], 0);
  record.received(Ack, 2001, 101, 1000, [], 0);
  record.received(Ack, 4001, 101, 1000, [], 0);
  expect(record.info(0)).toMatchObject({ tcpi_rcv_ooopack: 3 });
});

test('a D-SACK counts in segments of the largest size, below SEG.ACK or within the second block (RFC 2883 4)', () => {
  const record = opened(100);
  for (let seq = 101; seq < 8000; seq += 1000) record.sent(Ack, seq, 1000);
  record.received(Ack, 1, 2101, 0, [101, 1101], 0);
  record.received(Ack, 1, 2101, 0, [3101, 4101, 3101, 5101], 0);
  expect(record.info(0)).toMatchObject({ tcpi_dsack_dups: 2 });
  // No duplicates: plain SACKs, and something that was never sent.
  record.received(Ack, 1, 2101, 0, [3101, 5101, 6101, 7101], 0);
  record.received(Ack, 1, 2101, 0, [9101, 9201, 9101, 9301], 0);
  expect(record.info(0)).toMatchObject({ tcpi_dsack_dups: 2 });
  record.received(Ack, 1, 7101, 0, [2101, 4601], 0);
  expect(record.info(0)).toMatchObject({ tcpi_dsack_dups: 5 });
});

test('a delivery is marked by ECE if the SYN,ACK has agreed to it (RFC 3168 6.1.1)', () => {
  for (const [flags, marked] of [
    [TcpFlag.Ece, 2],
    [TcpFlag.Ece | TcpFlag.Cwr, 0],
    [0, 0],
  ] as const) {
    const record = new WireRecord();
    record.sent(Syn | TcpFlag.Ece | TcpFlag.Cwr, 100, 0);
    record.received(Syn | Ack | flags, 0, 101, 0, [], 0);
    for (const seq of [101, 1101, 2101]) record.sent(Ack, seq, 1000);
    record.received(Ack, 1, 1101, 0, [], 0);
    record.received(Ack | TcpFlag.Ece, 1, 3101, 0, [], 0);
    expect(record.info(0)).toMatchObject({ tcpi_delivered: 4, tcpi_delivered_ce: marked });
  }
});
