/**
 * What an object will need of a device, in a request without state (R13, ¶49, ¶64–68): behind the header of a Reserve
 * block, where otherwise the state is. Each layer writes its own; the device refuses what does not fit, with the status that it
 * would have given to the state.
 */
import { record, word } from '../memory/record.ts';

export const ResourceNeeds = record('OFFLOAD_RESOURCE_NEEDS', 32, {
  vlanId: word('neighbor: VID, filled in by an intermediate driver; 0 = none'),
  dlSourceHi: word('neighbor: source MAC address, high 16 bits; zero = the interface’s own'),
  dlSourceLo: word('neighbor: low 32 bits'),
  pathMtu: word('path: bytes'),
  initialRcvWnd: word('TCP: receive window, bytes'),
  constFlags: word('TCP: TcpConstFlag — the extensions that the device must know'),
  bufferedBytes: word('TCP: undelivered data that will come with the state, bytes'),
  reserved: word('zero'),
});
