/**
 * What travels in the rings between host and NIC: 32-byte descriptors, one cache line for two.
 *
 *   | opcode, count | 7 argument words |
 *
 * Frames and buffers go seven addresses a descriptor. A descriptor is a value: the reader copies what it needs before it
 * releases the slot, and checks every address and handle (architecture §2.8).
 */
import { record, u16, u8, word } from '../memory/record.ts';

export const Descriptor = record('DESCRIPTOR', 32, {
  opcode: u8('Submission or Completion'),
  flags: u8('of the opcode'),
  count: u16('addresses that follow, for batched opcodes'),
  a0: word('argument'),
  a1: word('argument'),
  a2: word('argument'),
  a3: word('argument'),
  a4: word('argument'),
  a5: word('argument'),
  a6: word('argument'),
});

export const DESCRIPTOR_BYTES = Descriptor.byteLength;
/** Addresses in a batched descriptor. */
export const BATCH_MAX = 7;

/** Host → NIC. The name in the comment is the miniport's entry point. */
export const Submission = {
  /** MiniportSendNetBufferLists: count NET_BUFFERs that hold whole frames. */
  SendFrames: 1,
  /** MiniportReturnNetBufferLists: count receive buffers go back to the NIC. */
  ReturnBuffers: 2,
  /** MiniportInitiateOffload: a0 = root block. */
  InitiateOffload: 3,
  /** MiniportTerminateOffload: a0 = root block. */
  TerminateOffload: 4,
  /** MiniportUpdateOffload: a0 = root block. */
  UpdateOffload: 5,
  /** MiniportInvalidateOffload: a0 = root block. */
  InvalidateOffload: 6,
  /** MiniportQueryOffload: a0 = root block. */
  QueryOffload: 7,
  /** MiniportTcpOffloadSend: a0 = handle, a1 = NET_BUFFER chain. */
  TcpSend: 8,
  /** MiniportTcpOffloadReceive: a0 = handle, a1 = NET_BUFFER chain; 0 only ends a refusal, as a receive of zero bytes does. */
  TcpReceive: 9,
  /** MiniportTcpOffloadDisconnect: a0 = handle, a1 = NET_BUFFER chain or 0, flags = DisconnectFlag. */
  TcpDisconnect: 10,
  /** MiniportTcpOffloadForward: a0 = handle, a1 = NET_BUFFER with one TCP segment. */
  TcpForward: 11,
  /** MiniportTcpOffloadReceiveReturn: a0 = handle, a1 = bytes that the application has consumed. */
  TcpReceiveReturn: 12,
  /** MiniportPause/MAC filter: a0 = MAC high, a1 = MAC low: frames to this address are the NIC's. */
  SetMac: 13,
  /** Figure 3, 308–320: the state of objects that initiate made room for; a0 = root block of one layer's list. */
  LoadOffloadState: 14,
  /**
   * What NdisTcpOffloadReceiveHandler returns when it did not take everything: a0 = handle, a1 = the NET_BUFFER, which is
   * the device's again and describes what is left, a2 = BytesConsumed (0: DATA_NOT_ACCEPTED, else DATA_PARTIALLY_ACCEPTED).
   */
  TcpIndicationRefused: 15,
  /** Set of OID_{TCP4,IP4,TCP6,IP6}_OFFLOAD_STATS: a0 = OffloadStatsFamily, whose counters become zero. */
  SetStatistics: 16,
} as const;
export type Submission = (typeof Submission)[keyof typeof Submission];

/** NIC → host. The name in the comment is the NDIS entry point that the miniport calls with it. */
export const Completion = {
  /** NdisMSendNetBufferListsComplete: count NET_BUFFERs. */
  FramesSent: 1,
  /** NdisMIndicateReceiveNetBufferLists: count NET_BUFFERs with whole frames. */
  FramesReceived: 2,
  /** Ndis…OffloadComplete: a0 = root block. */
  InitiateOffloadComplete: 3,
  TerminateOffloadComplete: 4,
  UpdateOffloadComplete: 5,
  InvalidateOffloadComplete: 6,
  QueryOffloadComplete: 7,
  /** NdisTcpOffloadSendComplete: a0 = host handle, a1 = NET_BUFFER chain, each with its status. */
  TcpSendComplete: 8,
  /** NdisTcpOffloadReceiveComplete: as above. */
  TcpReceiveComplete: 9,
  /** NdisTcpOffloadDisconnectComplete: a0 = host handle, a1 = NET_BUFFER chain or 0, a2 = status. */
  TcpDisconnectComplete: 10,
  /** NdisTcpOffloadForwardComplete: a0 = host handle, a1 = NET_BUFFER, a2 = status. */
  TcpForwardComplete: 11,
  /** NdisTcpOffloadReceiveHandler: a0 = host handle, a1 = NET_BUFFER with in-order bytes. */
  TcpIndicateReceive: 12,
  /** NdisTcpOffloadEventHandler: a0 = host handle, a1 = TcpOffloadEvent, a2 = its argument. */
  TcpIndicateEvent: 13,
  /** NdisMIndicateStatusEx: a0 = NdisStatus (media connect or disconnect). */
  IndicateStatus: 14,
  /** Answer to LoadOffloadState: a0 = root block. */
  LoadOffloadStateComplete: 15,
  /** NdisMOffloadEventIndicate: a0 = host handle of the neighbor, a1 = OffloadEventCode, a2 = its argument. */
  IndicateOffloadEvent: 16,
} as const;
export type Completion = (typeof Completion)[keyof typeof Completion];

/** The families of counters that are set, and zeroed, each for itself (E28). */
export const OffloadStatsFamily = { Tcp4: 0, Ip4: 1, Tcp6: 2, Ip6: 3 } as const;
export type OffloadStatsFamily = (typeof OffloadStatsFamily)[keyof typeof OffloadStatsFamily];

export const DisconnectFlag = { Graceful: 1, Abortive: 2 } as const;
