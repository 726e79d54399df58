/**
 * The `tcp` group of `createMachine`: what connections are like whose sockets say nothing else, and the parameters of the
 * engine that it comes to. What is absent is as on Linux.
 */
import { z } from 'zod';
import { TcpFastOpen } from './tcp/fast-open.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from './tcp/params.ts';

const seconds = z.number().int().min(1000).max(32_767_000);

/** On the host and on NICs alike. */
export const TcpOptions = z.strictObject({
  /** `none` is for links of one's own: only the peer's window limits what is in flight. `cubic` by default. */
  congestionControl: z.enum(['cubic', 'newreno', 'none']).optional(),
  /** RFC 3168: `passive`, the default, is for whoever asks; `on` asks too. */
  ecn: z.enum(['on', 'passive', 'off']).optional(),
  /** RFC 2018, RFC 7323. */
  sack: z.boolean().optional(),
  timestamps: z.boolean().optional(),
  windowScaling: z.boolean().optional(),
  /** For sockets that do not say; else Nagle's algorithm. */
  noDelay: z.boolean().optional(),
  /** Of sockets that have it on, times of whole seconds: two hours, 75 s and 9 by default. */
  keepAlive: z
    .strictObject({
      /** Also of those that do not say. */
      always: z.boolean().optional(),
      idleMs: seconds.optional(),
      intervalMs: seconds.optional(),
      probes: z.number().int().min(1).max(127).optional(),
    })
    .optional(),
  /** RFC 5482: how long a peer may leave something unanswered; absent: by the count of retransmissions. */
  userTimeoutMs: z.number().int().min(1000).max(86_400_000).optional(),
  /** RFC 7413: sockets and servers may ask for it. `false`: it is as if they did not. */
  fastOpen: z.boolean().optional(),
  /** RFC 4987: what a server does whose queue of handshakes is full. */
  synCookies: z.enum(['auto', 'always', 'off']).optional(),
});

/** Who wants it: each socket and server says so itself. */
const FAST_OPEN = TcpFastOpen.Client | TcpFastOpen.Server;

export function tcpParamsOf(options: z.output<typeof TcpOptions>): Partial<TcpParams> {
  const usual = DEFAULT_TCP_PARAMS;
  const { keepAlive = {}, fastOpen = true } = options;
  return {
    congestionControl: options.congestionControl ?? usual.congestionControl,
    ecn: options.ecn ?? usual.ecn,
    sack: options.sack ?? usual.sack,
    timestamps: options.timestamps ?? usual.timestamps,
    windowScaling: options.windowScaling ?? usual.windowScaling,
    synCookies: options.synCookies ?? usual.synCookies,
    nagle: options.noDelay === undefined ? usual.nagle : !options.noDelay,
    keepAlive: keepAlive.always ?? usual.keepAlive,
    kaTimeout: keepAlive.idleMs ?? usual.kaTimeout,
    kaInterval: keepAlive.intervalMs ?? usual.kaInterval,
    kaProbeMax: keepAlive.probes ?? usual.kaProbeMax,
    userTimeoutTicks: options.userTimeoutMs ?? usual.userTimeoutTicks,
    fastOpen: fastOpen ? FAST_OPEN : 0,
  };
}
