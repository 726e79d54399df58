/**
 * What an adapter can take over: NDIS_TCP_CONNECTION_OFFLOAD. Read at bind and again after every OFFLOAD_RESUME (R38).
 *
 * Counts are upper bounds, not promises: a device may still refuse a block, with the reason in its status.
 */
export interface OffloadCapabilities {
  /** TcpConnectionOffloadCapacity: connections at once; 0 = no chimney. */
  readonly tcpConnections: number;
  readonly paths: number;
  readonly neighbors: number;
  readonly supportsIpv4: boolean;
  readonly supportsIpv6: boolean;
  readonly supportsSack: boolean;
  readonly supportsTimestamps: boolean;
  readonly supportsEcn: boolean;
  /** Largest InitialRcvWnd, bytes. */
  readonly rcvWindowMax: number;
  /** Largest PathMtu, bytes. */
  readonly mtu: number;
}

export const NO_OFFLOAD: OffloadCapabilities = {
  tcpConnections: 0,
  paths: 0,
  neighbors: 0,
  supportsIpv4: false,
  supportsIpv6: false,
  supportsSack: false,
  supportsTimestamps: false,
  supportsEcn: false,
  rcvWindowMax: 0,
  mtu: 0,
};
