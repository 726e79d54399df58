import { describe, expect, it } from 'vitest';
import { NdisStatus, isOffloaded, statusName } from '../../src/base/status.ts';

describe('NDIS_STATUS', () => {
  it('has the numbers of ndis.h and ntstatus.h', () => {
    const unsigned = Object.fromEntries(Object.entries(NdisStatus).map(([name, code]) => [name, code >>> 0]));
    expect(unsigned).toEqual({
      Success: 0x00000000,
      Pending: 0x00000103,
      Failure: 0xc0000001,
      Resources: 0xc000009a,
      NotSupported: 0xc00000bb,
      InvalidState: 0xc0000184,
      RequestAborted: 0xc001000c,
      MediaConnect: 0x4001000b,
      MediaDisconnect: 0x4001000c,
      NetworkChange: 0x40010018,
      OffloadPause: 0x40020001,
      UploadAll: 0x40020002,
      OffloadResume: 0x40020003,
      OffloadPartialSuccess: 0x40020004,
      OffloadStateInvalid: 0x40020005,
      UploadInProgress: 0xc0231001,
      RequestUpload: 0xc0231002,
      UploadRequested: 0xc0231003,
      OffloadTcpEntries: 0xc0231004,
      OffloadPathEntries: 0xc0231005,
      OffloadNeighborEntries: 0xc0231006,
      OffloadIpAddressEntries: 0xc0231007,
      OffloadHwAddressEntries: 0xc0231008,
      OffloadVlanEntries: 0xc0231009,
      OffloadTcpXmitBuffer: 0xc023100a,
      OffloadTcpRcvBuffer: 0xc023100b,
      OffloadTcpRcvWindow: 0xc023100c,
      OffloadVlanMismatch: 0xc023100d,
      OffloadDataNotAccepted: 0xc023100e,
      OffloadPolicy: 0xc023100f,
      OffloadDataPartiallyAccepted: 0xc0231010,
      OffloadRequestReset: 0xc0231011,
      OffloadPathMtu: 0xc02310f0,
      OffloadConnectionRejected: 0xc02310f1,
    });
  });

  it('fits an int32 word, and no two are alike', () => {
    const codes: number[] = Object.values(NdisStatus);
    expect(codes.every(code => (code | 0) === code)).toBe(true);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('prints its name, also from the unsigned spelling, and strangers in hexadecimal', () => {
    expect(statusName(NdisStatus.Success)).toBe('Success');
    expect(statusName(NdisStatus.OffloadTcpEntries)).toBe('OffloadTcpEntries');
    expect(statusName(0xc0231004)).toBe('OffloadTcpEntries');
    expect(statusName(0xdeadbeef)).toBe('0xdeadbeef');
    expect(statusName(-1)).toBe('0xffffffff');
  });

  it('counts success and partial success as offloaded, and nothing else', () => {
    const offloaded = Object.entries(NdisStatus).filter(([, code]) => isOffloaded(code));
    expect(offloaded.map(([name]) => name).toSorted()).toEqual(['OffloadPartialSuccess', 'Success']);
  });
});
