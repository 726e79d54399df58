/**
 * What may travel with a connection besides its state: chains of NET_BUFFERs, in words behind the TCP state of its block.
 *
 * Their descriptors stay where they are; who owns them changes with the state.
 */
import { record, word } from '../memory/record.ts';
import { BLOCK_HEADER_BYTES } from './block-list.ts';
import { StateRange } from './state-objects.ts';

export const TcpTransfer = record('TCP_TRANSFER', 8, {
  postedReceives: word('initiate: receives that the switch held (¶76), first NET_BUFFER or 0'),
  forwardedSegments: word('terminate: segments that the device kept while it waited for the upload (¶57), or 0'),
});

/** From the start of the block. */
export const TCP_TRANSFER_OFFSET = BLOCK_HEADER_BYTES + StateRange.tcp.all;
