/**
 * NDIS_STATUS codes that the offload interface uses, with the numbers of the shipped headers (ndis.h, ntstatus.h).
 *
 * They travel in block lists and descriptors as int32. Codes that the headers do not define for this interface carry
 * numbers of our own from the 0xC02310Fx range and say so.
 */
export const NdisStatus = {
  Success: 0,
  Pending: 0x103,
  Failure: 0xc0000001 | 0,
  Resources: 0xc000009a | 0,
  NotSupported: 0xc00000bb | 0,
  InvalidState: 0xc0000184 | 0,
  RequestAborted: 0xc001000c | 0,
  MediaConnect: 0x4001000b,
  MediaDisconnect: 0x4001000c,
  /** The interface moved: announce addresses again (NDIS_STATUS_NETWORK_CHANGE). */
  NetworkChange: 0x40010018,
  OffloadPause: 0x40020001,
  UploadAll: 0x40020002,
  OffloadResume: 0x40020003,
  OffloadPartialSuccess: 0x40020004,
  OffloadStateInvalid: 0x40020005,
  UploadInProgress: 0xc0231001 | 0,
  RequestUpload: 0xc0231002 | 0,
  UploadRequested: 0xc0231003 | 0,
  OffloadTcpEntries: 0xc0231004 | 0,
  OffloadPathEntries: 0xc0231005 | 0,
  OffloadNeighborEntries: 0xc0231006 | 0,
  OffloadIpAddressEntries: 0xc0231007 | 0,
  OffloadHwAddressEntries: 0xc0231008 | 0,
  OffloadVlanEntries: 0xc0231009 | 0,
  OffloadTcpXmitBuffer: 0xc023100a | 0,
  OffloadTcpRcvBuffer: 0xc023100b | 0,
  OffloadTcpRcvWindow: 0xc023100c | 0,
  OffloadVlanMismatch: 0xc023100d | 0,
  OffloadDataNotAccepted: 0xc023100e | 0,
  OffloadPolicy: 0xc023100f | 0,
  OffloadDataPartiallyAccepted: 0xc0231010 | 0,
  OffloadRequestReset: 0xc0231011 | 0,
  /** Named by the documentation, absent from ndis.h: the number is ours. */
  OffloadPathMtu: 0xc02310f0 | 0,
  /** The target judged the connection a poor candidate; documented without a number: ours. */
  OffloadConnectionRejected: 0xc02310f1 | 0,
} as const;
export type NdisStatus = (typeof NdisStatus)[keyof typeof NdisStatus];

const names = new Map<number, string>(Object.entries(NdisStatus).map(([name, code]) => [code, name]));

/** `Success`, `OffloadTcpEntries`, or the number in hexadecimal. */
export function statusName(status: number): string {
  return names.get(status | 0) ?? `0x${(status >>> 0).toString(16)}`;
}

/** The own state of a block was taken: SUCCESS, or PARTIAL_SUCCESS when only dependents failed. */
export function isOffloaded(status: number): boolean {
  return status === NdisStatus.Success || status === NdisStatus.OffloadPartialSuccess;
}
