/**
 * What the administrator directs, whatever the policy says (¶62, ¶101, R24): connections that are to be offloaded, and
 * connections that are to stay in the host.
 *
 * A directive is for all connections that match, those to come included; its four parts name a single one. Of several that
 * match, the latest counts. An offload that was directed is never evicted; where the device itself asks to end it, that
 * is granted, and the connection is as if not directed until it is directed anew.
 */
import type { TliConnection } from './connection.ts';
import { formatIpPrefix, type IpPrefix, isInPrefix } from '../wire/ip-prefix.ts';

export const Directive = { None: 0, Offload: 1, KeepInHost: 2 } as const;
export type Directive = (typeof Directive)[keyof typeof Directive];

/** What is left out matches everything. */
export interface DirectiveMatch {
  readonly localPort?: number | undefined;
  readonly remotePort?: number | undefined;
  readonly local?: IpPrefix | undefined;
  readonly remote?: IpPrefix | undefined;
}

interface Rule {
  readonly match: DirectiveMatch;
  readonly directive: Directive;
  /** Counts up from 1. */
  readonly number: number;
}

type Subject = Pick<
  TliConnection,
  'addresses' | 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort' | 'directiveEnded'
>;

function matches({ localPort, remotePort, local, remote }: DirectiveMatch, subject: Subject): boolean {
  if (localPort !== undefined && localPort !== subject.localPort) return false;
  if (remotePort !== undefined && remotePort !== subject.remotePort) return false;
  if (local !== undefined && !isInPrefix(local, subject.localAddress, subject.addresses)) return false;
  return remote === undefined || isInPrefix(remote, subject.remoteAddress, subject.addresses);
}

/** As the administrator's log has it: `offload, local *:80, remote 10.1.0.0/16:*`. */
export function directiveText(directive: Directive, match: DirectiveMatch): string {
  const end = (prefix: IpPrefix | undefined, port: number | undefined): string =>
    `${prefix === undefined ? '*' : formatIpPrefix(prefix)}:${port ?? '*'}`;
  const order = directive === Directive.Offload ? 'offload' : 'keep in host';
  return `${order}, local ${end(match.local, match.localPort)}, remote ${end(match.remote, match.remotePort)}`;
}

export class Directives {
  /** The latest first. */
  #rules: Rule[] = [];
  #count = 0;

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Returns the undo. */
  add(directive: Directive, match: DirectiveMatch): () => void {
    const rule = { match, directive, number: ++this.#count };
    this.#rules = [rule, ...this.#rules];
    return () => {
      this.#rules = this.#rules.filter(other => other !== rule);
    };
  }

  of(subject: Subject): Directive {
    for (const { match, directive, number } of this.#rules) {
      const isOver = directive === Directive.Offload && number <= subject.directiveEnded;
      if (!isOver && matches(match, subject)) return directive;
    }
    return Directive.None;
  }

  /** The orders to offload so far count no more for this one. */
  end(subject: Pick<TliConnection, 'directiveEnded'>): void {
    subject.directiveEnded = this.#count;
  }
}
