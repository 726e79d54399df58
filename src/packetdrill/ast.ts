/**
 * A packetdrill script as a tree: options, an init command, timed events, a clean-up command. What the parser makes and
 * the runner plays; every part knows its line, and events their own text, for reports.
 */
export interface Script {
  readonly file: string;
  readonly options: readonly ScriptOption[];
  readonly init: CommandAction | null;
  readonly events: readonly ScriptEvent[];
}

export interface ScriptOption {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** `us` of a relative time counts from the event before; ranges end at `endUs`. */
export interface EventTime {
  readonly kind: 'absolute' | 'relative' | 'any' | 'absolute-range' | 'relative-range';
  readonly us: number;
  readonly endUs: number;
}

export interface ScriptEvent {
  readonly line: number;
  readonly time: EventTime;
  readonly action: Action;
  /** The event as it was written, on one line. */
  readonly text: string;
}

export type Action = PacketAction | CallAction | CommandAction | CodeAction;

export interface CommandAction {
  readonly kind: 'command';
  readonly text: string;
  readonly line: number;
}

export interface CodeAction {
  readonly kind: 'code';
  readonly text: string;
}

/** -1 stands for "not said" throughout. */
export interface IpSpec {
  /** The two ECN bits, or -2 for "either ECT". */
  readonly ecn: number;
  readonly tos: number;
  readonly ttl: number;
  readonly flowLabel: number;
}

export interface PacketAction {
  readonly kind: 'packet';
  readonly inbound: boolean;
  readonly ip: IpSpec;
  readonly payload: TcpSpec | UdpSpec | IcmpSpec;
}

export interface TcpSpec {
  readonly protocol: 'tcp';
  readonly srcPort: number;
  readonly dstPort: number;
  /** `TcpFlag` bits. */
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number;
  readonly window: number;
  readonly urgent: number;
  /** null: `<...>`, whatever options there are. */
  readonly options: readonly TcpOptionSpec[] | null;
}

export type TcpOptionSpec =
  | { readonly kind: 'nop' | 'eol' | 'sackOK' }
  | { readonly kind: 'mss' | 'wscale'; readonly value: number }
  | { readonly kind: 'TS'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [number, number])[] }
  | { readonly kind: 'FO' | 'FOEXP'; readonly cookie: string }
  /** Only in what was seen. */
  | { readonly kind: 'unknown'; readonly number: number; readonly hex: string };

export interface UdpSpec {
  readonly protocol: 'udp';
  readonly srcPort: number;
  readonly dstPort: number;
  readonly length: number;
}

export interface IcmpSpec {
  readonly protocol: 'icmp';
  readonly type: string;
  readonly code: string;
  readonly mtu: number;
  readonly id: number;
  readonly echoed: EchoedSpec;
}

export interface EchoedSpec {
  readonly protocol: 'tcp' | 'udp' | 'raw';
  readonly seq: number;
  readonly length: number;
}

export interface CallAction {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  /** -1: the call does not block; else when it returns, absolute or relative as the event's time is. */
  readonly endUs: number;
  readonly result: Expression;
  /** '' for none. */
  readonly errno: string;
}

export type Expression =
  | { readonly t: 'ellipsis' }
  | { readonly t: 'number'; readonly value: number }
  | { readonly t: 'word'; readonly name: string }
  | { readonly t: 'string'; readonly value: string }
  | { readonly t: 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly t: 'list'; readonly items: readonly Expression[] }
  | { readonly t: 'struct'; readonly fields: ReadonlyMap<string, Expression> }
  | { readonly t: 'call'; readonly name: string; readonly argument: Expression };
