/**
 * Kernel settings that scripts change, and what they are on this stack: a parameter of the engine, a default of the socket
 * layer, or nothing, where they tune what is not there (pacing, TSO sizes) or never shows. A setting that would change what
 * a script sees, and cannot be followed, makes the script unsupported.
 */
import { Unsupported } from './script-error.ts';
import type { Settings } from './settings.ts';

type Setter = (settings: Settings, values: readonly number[], text: string) => boolean | void;

const SECOND = 1000;
/** Of tcp_fastopen: those that mean something still. */
const FAST_OPEN_BITS = 0x607;
const KEY_WORDS = 4;
/** What 0 stands for. */
const ORPHAN_RETRIES = 8;
/** Settings that are no numbers. */
const TEXTS = new Set(['tcp_congestion_control', 'tcp_fastopen_key', 'net.core.default_qdisc']);
const isOn = (values: readonly number[]): boolean => values[0] !== 0;

/** `net.ipv4.` in front of each. False: this value cannot be followed. */
const IPV4: Readonly<Record<string, Setter>> = {
  tcp_timestamps: (s, v) => void (s.tcp.timestamps = isOn(v)),
  tcp_window_scaling: (s, v) => void (s.tcp.windowScaling = isOn(v)),
  tcp_sack: (s, v) => void (s.tcp.sack = isOn(v)),
  tcp_dsack: (s, v) => void (s.tcp.dsack = isOn(v)),
  tcp_ecn: (s, [mode]) => {
    if (mode! > 2) return false;
    s.tcp.ecn = (['off', 'on', 'passive'] as const)[mode!]!;
    return true;
  },
  tcp_rmem: (s, [, initial, most]) => {
    // A kernel takes half of the buffer for its own descriptors (tcp_adv_win_scale 1).
    s.tcp.rcvBuffer = initial! >> 1;
    s.tcp.rcvBufferMax = most!;
  },
  tcp_wmem: (s, [, initial, most]) => {
    s.sendBuffer = initial!;
    s.sendBufferMax = most!;
  },
  tcp_congestion_control: (s, _, text) => {
    if (text !== 'cubic' && text !== 'reno') return false;
    s.tcp.congestionControl = text === 'cubic' ? 'cubic' : 'newreno';
    return true;
  },
  tcp_slow_start_after_idle: (s, v) => void (s.tcp.slowStartAfterIdle = isOn(v)),
  tcp_frto: (s, v) => void (s.tcp.frto = isOn(v)),
  tcp_early_retrans: (s, [mode]) => void (s.tcp.lossProbe = mode! >= 3),
  tcp_recovery: (s, [bits]) => void (s.tcp.rack = (bits! & 1) !== 0),
  tcp_reordering: (s, [segments]) => void (s.tcp.dupAckThreshold = segments!),
  tcp_syn_retries: (s, [count]) => void (s.tcp.synRetransmissionsMax = count!),
  tcp_synack_retries: (s, [count]) => void (s.tcp.synAckRetransmissionsMax = count!),
  tcp_syncookies: (s, [mode]) => void (s.tcp.synCookies = (['off', 'auto', 'always'] as const)[mode!] ?? 'auto'),
  tcp_fastopen: (s, [bits]) => void (s.tcp.fastOpen = bits! & FAST_OPEN_BITS),
  tcp_fastopen_key: (s, _, text) => {
    const words = text.split('-').map(word => Number.parseInt(word, 16) | 0);
    s.tcp.fastOpenKey = words.slice(0, KEY_WORDS);
    return words.length >= KEY_WORDS;
  },
  tcp_rfc1337: (s, v) => void (s.tcp.timeWaitIgnoresReset = isOn(v)),
  tcp_tw_reuse: (s, v) => void (s.tcp.timeWaitReuse = isOn(v)),
  tcp_invalid_ratelimit: (s, [ms]) => void (s.tcp.invalidAckIntervalTicks = ms!),
  tcp_orphan_retries: (s, [count]) => void (s.tcp.orphanRetransmissionsMax = count! === 0 ? ORPHAN_RETRIES : count!),
  tcp_retries2: (s, [count]) => void (s.tcp.retransmissionsMax = count!),
  tcp_keepalive_time: (s, [seconds]) => void (s.tcp.kaTimeout = seconds! * SECOND),
  tcp_keepalive_intvl: (s, [seconds]) => void (s.tcp.kaInterval = seconds! * SECOND),
  tcp_keepalive_probes: (s, [count]) => void (s.tcp.kaProbeMax = count!),
  tcp_fin_timeout: (s, [seconds]) => void (s.tcp.finWait2Ticks = seconds! * SECOND),
  tcp_rto_min_us: (s, [us]) => void (s.tcp.rtoMinTicks = Math.round(us! / 1000)),
  tcp_rto_max_ms: (s, [ms]) => void (s.tcp.rtoMaxTicks = ms!),
  tcp_notsent_lowat: (s, [bytes]) => void (s.notsentLowat = bytes!),
  ip_default_ttl: (s, [hops]) => void (s.tcp.ttl = hops!),
  ip_no_pmtu_disc: (_, v) => !isOn(v),
  tcp_mtu_probing: (s, [mode]) => void (s.tcp.mtuProbing = (['off', 'black-hole', 'always'] as const)[mode!] ?? 'off'),
  tcp_base_mss: (s, [bytes]) => void (s.tcp.mtuProbeBase = bytes!),
  tcp_probe_interval: (s, [seconds]) => void (s.tcp.mtuProbeIntervalTicks = seconds! * SECOND),
  tcp_shrink_window: (_, v) => !isOn(v),
  tcp_abort_on_overflow: (_, v) => !isOn(v),
  tcp_thin_linear_timeouts: (_, v) => !isOn(v),
};

/** `net.ipv4.` names that tune what is not here, or what a script cannot see. */
const WITHOUT_EFFECT = new Set(
  (
    'tcp_fack tcp_tso_win_divisor tcp_min_tso_segs tcp_tso_rtt_log tcp_pacing_ss_ratio tcp_pacing_ca_ratio tcp_ecn_option ' +
    'tcp_limit_output_bytes tcp_moderate_rcvbuf tcp_mem tcp_no_metrics_save tcp_no_ssthresh_metrics_save ' +
    'tcp_max_syn_backlog tcp_low_latency tcp_autocorking tcp_available_congestion_control ' +
    'tcp_probe_threshold tcp_min_snd_mss tcp_challenge_ack_limit tcp_ecn_fallback ' +
    'tcp_retries1 tcp_max_orphans tcp_max_tw_buckets tcp_max_reordering tcp_stdurg ' +
    'tcp_workaround_signed_windows tcp_app_win tcp_adv_win_scale tcp_fastopen_cookies ' +
    'tcp_fastopen_blackhole_timeout_sec tcp_comp_sack_nr tcp_comp_sack_delay_ns tcp_comp_sack_slack_ns tcp_plb_enabled ' +
    'tcp_backlog_ack_defer tcp_reflect_tos tcp_migrate_req tcp_child_ehash_entries tcp_l3mdev_accept ip_local_port_range ' +
    'tcp_rcvbuf_low_rtt tcp_pingpong_thresh route.flush ip_nonlocal_bind icmp_ratelimit icmp_ratemask icmp_msgs_per_sec min_adv_mss'
  ).split(' '),
);

/** Whole names, of other branches. */
const OTHERS: Readonly<Record<string, Setter>> = {
  'net.core.wmem_max': () => {},
  'net.core.rmem_max': () => {},
  'net.core.wmem_default': () => {},
  'net.core.rmem_default': () => {},
  'net.core.optmem_max': () => {},
  'net.core.default_qdisc': () => {},
  'net.core.somaxconn': (s, [count]) => void (s.somaxconn = count!),
};

/** `name` with dots or slashes, `text` without quotes. */
export function applySysctl(settings: Settings, name: string, text: string, line: number): void {
  const key = name.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
  const values = text.split(/\s+/).map(Number);
  const short = key.replace(/^net\.ipv4\./, '');
  if (WITHOUT_EFFECT.has(short)) return;
  const setter = key.startsWith('net.ipv4.') ? IPV4[short] : OTHERS[key];
  if (setter === undefined) throw new Unsupported(line, `sysctl ${key}`);
  if (!TEXTS.has(short) && values.some(Number.isNaN)) throw new Unsupported(line, `sysctl ${key}=${text}`);
  if (setter(settings, values, text) === false) throw new Unsupported(line, `sysctl ${key}=${text}`);
}
