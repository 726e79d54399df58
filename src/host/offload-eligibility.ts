/**
 * Whether an adapter can do what a connection uses (digest §6.1, A19–A21): asked before it is offered, so that a device
 * hears only of what it might take. Refusals are counted by the layer whose state stands in the way (Figure 3).
 *
 * Framing has nothing to refuse: what it would ask of a device — a VID, a source address — an intermediate driver puts in
 * after it, and the device answers to that with a status of its own.
 */
import type { OffloadCapabilities } from '../offload/capabilities.ts';
import { type Tcb, TcpConstFlag } from '../tcp/tcb.ts';
import { isIpv6 } from '../wire/address-table.ts';
import type { Path } from './path.ts';

export class OffloadEligibility {
  readonly transport = { timestamps: 0, sack: 0, ecn: 0, receiveWindow: 0 };
  readonly network = { ipv4: 0, ipv6: 0, pathMtu: 0 };

  accepts(tcb: Tcb, path: Path, adapter: OffloadCapabilities): boolean {
    const { transport, network } = this;
    const { constFlags } = tcb;
    if ((constFlags & TcpConstFlag.Timestamp) !== 0 && !adapter.supportsTimestamps) transport.timestamps++;
    else if ((constFlags & TcpConstFlag.Sack) !== 0 && !adapter.supportsSack) transport.sack++;
    else if ((constFlags & TcpConstFlag.Ecn) !== 0 && !adapter.supportsEcn) transport.ecn++;
    else if (tcb.initialRcvWnd > adapter.rcvWindowMax) transport.receiveWindow++;
    else if (isIpv6(path.destination) && !adapter.supportsIpv6) network.ipv6++;
    else if (!isIpv6(path.destination) && !adapter.supportsIpv4) network.ipv4++;
    else if (path.mtu > adapter.mtu) network.pathMtu++;
    else return true;
    return false;
  }
}
