/**
 * `machine.offload`: what is offloaded, said at start and changed while the machine runs (R34, R24, ¶62).
 *
 *   machine.offload.setPolicy('by-port:443 & !by-prefix:192.168.0.0/16');
 *   const revoke = machine.offload.direct({ order: 'offload', localPort: 445 });
 *
 * A policy chooses; a directive is the administrator's order and goes before it. Both count at once, for connections that
 * are there and for those to come. An offload that was directed is not evicted; when a NIC asks to end it, that is
 * granted, and the machine's `offload` event `directed-offload-ended` says so.
 */
import { ChimneyError } from './base/errors.ts';
import { Directive } from './host/directives.ts';
import type { Host } from './host/host.ts';
import { holdingOn } from './host/policy/holding-on.ts';
import { EVICTION, mostActive } from './host/policy/most-active.ts';
import type { OffloadPolicy } from './host/policy/offload-policy.ts';
import { parsePolicy, POLICY_TAKES } from './host/policy/policy-text.ts';
import type { checkMachineOptions } from './machine-options.ts';
import type { ThreadedMachine } from './machine-threads.ts';
import { TcpUploadReason } from './offload/events.ts';
import { type IpPrefix, parseIpPrefixOrAddress } from './wire/ip-prefix.ts';

/** What is left out matches every connection; all four name a single one. */
export interface DirectiveOptions {
  readonly order: 'offload' | 'keep-in-host';
  readonly localPort?: number;
  readonly remotePort?: number;
  /** Address, or address with prefix: `10.1.0.0/16`, `fd00::/8`. */
  readonly local?: string;
  readonly remote?: string;
}

export interface MachineOffload {
  readonly policy: string;
  /** Another policy, written as in the options. Connections that it does not keep come back from the NICs. */
  setPolicy(policy: string): void;
  /** Orders about connections, those to come included; of several that match the latest counts. Returns the undo. */
  direct(directive: DirectiveOptions): () => void;
}

type OffloadOptions = NonNullable<ReturnType<typeof checkMachineOptions>['offload']>;

const BATCH_MS_DEFAULT = 5;

/** The policy of checked options. */
export function policyOf(options: OffloadOptions = {}): OffloadPolicy {
  const batchUs = (options.batchMs ?? BATCH_MS_DEFAULT) * 1000;
  let policy = parsePolicy(options.policy ?? 'young-in-batches', batchUs)!;
  const { evict, ignoreReasons = [] } = options;
  if (ignoreReasons.length > 0)
    policy = holdingOn(
      policy,
      ignoreReasons.map(reason => TcpUploadReason[reason]),
    );
  if (evict === undefined) return policy;
  const { marginPercent = EVICTION.marginPercent, residenceMs } = evict;
  return mostActive(policy, marginPercent, residenceMs === undefined ? EVICTION.residenceUs : residenceMs * 1000);
}

export function offloadOf({ loop, clock }: ThreadedMachine, host: Host, options: OffloadOptions): MachineOffload {
  const { chimney } = host;
  const now = <T>(change: () => T): T => {
    host.setTime(clock.nowUs());
    const result = change();
    loop.wake();
    return result;
  };
  return {
    get policy(): string {
      return chimney.policy.name;
    },
    setPolicy: policy => {
      if (parsePolicy(policy, 0) === undefined) complain('setPolicy', POLICY_TAKES);
      now(() => chimney.replacePolicy(policyOf({ ...options, policy })));
    },
    direct: directive => {
      const { order, localPort, remotePort } = directive;
      const match = { localPort, remotePort, local: prefixOf(directive.local), remote: prefixOf(directive.remote) };
      const revoke = now(() => chimney.direct(order === 'offload' ? Directive.Offload : Directive.KeepInHost, match));
      return () => now(revoke);
    },
  };
}

function prefixOf(text: string | undefined): IpPrefix | undefined {
  if (text === undefined) return undefined;
  return (
    parseIpPrefixOrAddress(text) ??
    complain('direct', `'${text}' is no address, such as 10.1.0.7, 10.1.0.0/16 or fd00::/8`)
  );
}

function complain(method: string, why: string): never {
  throw new ChimneyError('ERR_CHIMNEY_OPTION', `machine.offload.${method}: ${why}`);
}
