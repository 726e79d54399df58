/**
 * Packets as scripts write them, for reports: `> P. 1:1001(1000) ack 1 win 229 <nop,nop,TS val 100 ecr 200>`.
 * What scripts have no word for is printed as `opt KIND:HEX`.
 */
import { formatTcpFlags } from '../wire/print-tcp.ts';
import type { IpSpec, TcpOptionSpec, TcpSpec } from './ast.ts';

const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'];

export function tcpText(spec: TcpSpec, ip: IpSpec): string {
  const { flags, seq, length, ack, window, urgent, options } = spec;
  const ecn = ip.ecn > 0 ? `[${ECN_NAMES[ip.ecn]}] ` : '';
  let text = `${ecn}${formatTcpFlags(flags)} ${seq}:${(seq + length) >>> 0}(${length})`;
  if ((flags & 0x10) !== 0) text += ` ack ${ack}`;
  if (window >= 0) text += ` win ${window}`;
  if (urgent > 0) text += ` urg ${urgent}`;
  if (options === null) return `${text} <...>`;
  return options.length === 0 ? text : `${text} <${options.map(optionText).join(',')}>`;
}

export function optionText(option: TcpOptionSpec): string {
  switch (option.kind) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return option.kind;
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'TS':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'sack':
      return `sack ${option.blocks.map(([left, right]) => `${left}:${right}`).join(' ')}`;
    case 'FO':
    case 'FOEXP':
      return option.cookie === '' ? option.kind : `${option.kind} ${option.cookie}`;
    case 'unknown':
      return `opt ${option.number}:${option.hex}`;
  }
}

/** Seconds as scripts have them. */
export function timeText(us: number): string {
  return (us / 1e6).toFixed(6);
}
