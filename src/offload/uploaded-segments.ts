/**
 * Behind the TCP state in a block of a terminate: segments that the device kept while the connection waited to be taken
 * back (¶57). A word of its own, because the delegated state has no place for what TCP has not seen yet.
 */
import { record, word } from '../memory/record.ts';
import { BLOCK_HEADER_BYTES } from './block-list.ts';
import { StateRange } from './state-objects.ts';

export const UploadedSegments = record('UPLOADED_SEGMENTS', 4, {
  chain: word('NET_BUFFERs with one TCP segment each, in the order in which they came, or 0'),
});

/** Where it lies in a block. */
export const UPLOADED_SEGMENTS_OFFSET = BLOCK_HEADER_BYTES + StateRange.tcp.all;
