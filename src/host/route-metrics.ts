/**
 * What a route says of the paths that go through it, as the administrator of a host knows it better than the link does: how
 * large datagrams may be, which MSS is announced, with how many segments a connection begins. The words are those of Linux's
 * `ip route` (mtu, advmss, initcwnd); 0 says nothing.
 */
export interface RouteMetrics {
  /** Bytes of a datagram, at most what the link carries. */
  readonly mtu: number;
  /**
   * `mtu lock`: the number holds, whatever the network reports. Datagrams may then be cut on the way, for nobody could learn
   * that they have to be smaller (Linux, ip_dont_fragment); what a NIC sends has DF all the same, its interface has no word
   * for it.
   */
  readonly isMtuLocked: boolean;
  /** MSS of our SYNs: what peers may send, not what we do. */
  readonly advertisedMss: number;
  /** Segments of the initial window (RFC 6928); of what a NIC restarts after it was idle, its own parameter. */
  readonly initialWindow: number;
}

export const NO_METRICS: RouteMetrics = { mtu: 0, isMtuLocked: false, advertisedMss: 0, initialWindow: 0 };

/** Of a path whose link carries datagrams of so many bytes. */
export function mtuThrough({ mtu }: RouteMetrics, linkMtu: number): number {
  return mtu === 0 ? linkMtu : Math.min(mtu, linkMtu);
}
