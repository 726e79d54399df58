/**
 * What may travel with a connection besides its state: chains of NET_BUFFERs, in words behind the TCP state of its block.
 *
 * Their descriptors stay where they are; who owns them changes with the state.
 */
import { record, u16, u8, word } from '../memory/record.ts';
import { BLOCK_HEADER_BYTES } from './block-list.ts';
import { StateRange } from './state-objects.ts';

export const TcpTransfer = record('TCP_TRANSFER', 24, {
  postedReceives: word('initiate: receives that the switch held (¶76), first NET_BUFFER or 0'),
  outOfOrder: word('received out of order, perhaps SACKed, by SEG.SEQ: first NET_BUFFER or 0 (both ways)'),
  sentRangeCount: word('SENT_RANGEs that follow: what was sent, when, and what became of it'),
  forwardedSegments: word('terminate: segments that the device kept while it waited for the upload (¶57), or 0'),
  probeLow: u16('payload that is known to pass, 0 = the path is not searched (RFC 4821)'),
  probeHigh: u16('where the search ends'),
  probeSize: u16('payload of the probe in flight, 0 = none'),
  probeOffset: u16('where it begins, relative to SND.UNA'),
});

/** From the start of the block. */
export const TCP_TRANSFER_OFFSET = BLOCK_HEADER_BYTES + StateRange.tcp.all;

/**
 * What recovery knows of the data in flight, in order from SND.UNA on (RFC 6675 scoreboard, RFC 8985 transmit times). More
 * of them than fit are merged into the last, as sent last: a segment is then sent again too late, never too early.
 */
export const SentRangeTransfer = record('SENT_RANGE', 8, {
  end: word('one past its last number, relative to SND.UNA'),
  age: u16('since it was sent last, ticks; 0xffff = longer'),
  flags: u8('SentFlag; 128: the last that is not full ends it'),
  segments: u8('segments in it, at most 255'),
});

export const SENT_RANGES_MAX = 22;
export const SENT_RANGES_OFFSET = TCP_TRANSFER_OFFSET + TcpTransfer.byteLength;
