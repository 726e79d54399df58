/**
 * NET_BUFFER: the descriptor of bytes in memory that travels along every path (DDI NET_BUFFER_LIST with one NET_BUFFER).
 *
 * It describes a received frame, a piece of a send, or a posted receive buffer. It has one owner at any instant; who
 * that is, each call says. Chains run through `next` and end with 0. Buffers of a BufferPool carry their bytes right
 * behind the descriptor; a send may point anywhere that the device has been granted.
 */
import { bytes, record, u16, u8, word } from './record.ts';

export const NetBuffer = record('NET_BUFFER', 64, {
  next: word('next descriptor of the chain, or 0'),
  dataAddress: word('address of the first byte'),
  dataLength: word('bytes'),
  status: word('NDIS_STATUS of the request that carried it'),
  /** Receive: SEG.SEQ of the first byte; reassembly orders by it. */
  segSeq: word('sequence number of the first byte'),
  poolId: u16('pool that the buffer returns to'),
  flags: u16('NetBufferFlag'),
  /** Whoever holds the buffer may use these; their content is undefined after a hand-over. */
  scratch: word('of the current owner'),
  cookie: word('of the one who posted it: request id'),
  bytesTransferred: word('bytes placed (receive) or acknowledged (send) so far'),
  connection: word('host handle of the connection, or 0'),
  vid: u16('802.1Q VID stripped on the way up, or 0'),
  reserved8: u8('zero'),
  reserved9: u8('zero'),
  indication: word('receive: number of the indication; posted receive: how many the host has seen'),
  epoch: word('receive: epoch of the delivery that it belongs to (nic-delivery.ts)'),
  stamp: word('out-of-order queue: rises with the order of arrival (tcp/sack-report.ts)'),
  reserved: bytes(8),
});

export const NetBufferFlag = {
  /** The segment that brought these bytes had PSH. */
  Push: 1,
  /** The descriptor carries a graceful disconnect after its bytes. */
  Disconnect: 2,
  /** Receive, posted: TcpReceiveNoPush — the buffer is completed only when it is full. */
  NoPush: 4,
  /** Out-of-order queue: a FIN follows the bytes. */
  Fin: 8,
  /** A TCP segment without its IP header, which carried CE (RFC 3168). */
  CongestionExperienced: 16,
  /** Send: MSG_MORE — more bytes follow soon, which these may wait for. */
  More: 32,
  /** Send: MSG_EOR — no byte behind these shares a segment with one of them (tcp/record-end.ts). */
  EndOfRecord: 64,
} as const;
