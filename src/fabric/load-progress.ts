/**
 * How far the population of clients has come: a record that the fabric writes and the host thread reads at any time.
 *
 * Counters only grow; `finished` is stored last, atomically, so that whoever sees it set sees the final numbers.
 */
import { bytes, record, word } from '../memory/record.ts';

export const LoadProgress = record('LOAD_PROGRESS', 64, {
  started: word('connections opened so far'),
  completed: word('replies complete, verified and closed in order'),
  failed: word('connections that ended without their whole reply, resets included'),
  reset: word('of these, connections that ended by RST'),
  bytesVerifiedLo: word('bytes of verified replies, low 31 bits'),
  bytesVerifiedHi: word('bytes of verified replies, in units of 2^31'),
  bytesWrong: word('bytes of replies whose SHA-256 differed'),
  bytesLost: word('bytes that the peer acknowledged sending but clients never got: short replies'),
  retransmissions: word('segments the clients sent again'),
  finished: word('1 when every requested connection has ended'),
  active: word('connections open now'),
  reserved: bytes(20),
});
