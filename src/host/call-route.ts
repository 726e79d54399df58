/**
 * Where a call, or a segment, of a connection goes: where its state is, or into a queue while it changes hands.
 *
 * A device that has asked for a connection with a mandatory reason does nothing for it any more (digest §3.8). From then
 * until the terminate is through the connection counts as uploading: what went down would only come back.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { type Tcb, TcpPrivateFlag } from '../tcp/tcb.ts';

export function callRoute(tcb: Tcb): OffloadState {
  if ((tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0) return OffloadState.Uploading;
  return tcb.offloadState as OffloadState;
}
