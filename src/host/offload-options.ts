/**
 * The forms of offload, where the seed has one and the interface that shipped another: named options of a host.
 *
 * Every form is the same to applications and to the peers; they differ in who sends what when, and in what it costs.
 */
export interface HostOffloadOptions {
  /** State travels with the request (¶75, as shipped), or each layer sends it as the completion passes (Figure 3). */
  readonly state: 'with-request' | 'at-completion';
  /** Sends and receives that the switch holds: handed to the device after the completion, or in the request (¶76). */
  readonly buffers: 'after-completion' | 'in-request';
  /** Data that was received and not taken: stays at the switch (R15), or goes along as BufferedData (as shipped). */
  readonly bufferedData: 'switch' | 'state';
  /** A cached update descends through the layers below (Figure 6), or goes from the layer to the miniport (¶100). */
  readonly updates: 'relay' | 'direct';
  /** Lower objects that lose their last dependent: their blocks in the same terminate, or in a later one (¶104, R6). */
  readonly lowerUploads: 'same-list' | 'later';
}

export const DEFAULT_HOST_OFFLOAD_OPTIONS: HostOffloadOptions = {
  state: 'with-request',
  buffers: 'after-completion',
  bufferedData: 'switch',
  updates: 'relay',
  lowerUploads: 'same-list',
};
