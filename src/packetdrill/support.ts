/**
 * What scripts may ask for that is not there at all: seen before a script is played, so that it is unsupported whatever its
 * first lines lead to.
 */
import type { Expression, Script } from './ast.ts';
import { Python } from './python.ts';
import { Unsupported } from './script-error.ts';

const CALLS: Readonly<Record<string, string>> = {
  cap_set: 'capabilities',
  psp_rx_assoc: 'PSP',
  psp_tx_assoc: 'PSP',
};

/** Names in arguments. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^TCP_ZEROCOPY_RECEIVE$/, 'receiving without a copy (TCP_ZEROCOPY_RECEIVE)'],
  [/^TCP_MD5SIG/, 'TCP MD5 signatures'],
  [/^IPPROTO_MPTCP$|^MPTCP/, 'MPTCP'],
  [/^TCP_REPAIR/, 'TCP_REPAIR'],
  [/^MSG_SPLICE_PAGES$/, 'splice()'],
  [/^TCP_ULP$/, 'upper layer protocols (TCP_ULP)'],
];

export function refuseUnsupported(script: Script): void {
  const python = new Python();
  for (const { action, line } of script.events) {
    if (action.kind === 'code') python.check(action.text, line);
    if (action.kind !== 'call') continue;
    const call = Object.hasOwn(CALLS, action.name) ? CALLS[action.name] : undefined;
    if (call !== undefined) throw new Unsupported(line, call);
    for (const argument of action.args) {
      for (const name of namesIn(argument)) {
        const known = NAMES.find(([pattern]) => pattern.test(name));
        if (known !== undefined) throw new Unsupported(line, known[1]);
      }
    }
  }
}

function namesIn(expression: Expression): string[] {
  switch (expression.t) {
    case 'word':
      return [expression.name];
    case 'or':
      return [...namesIn(expression.left), ...namesIn(expression.right)];
    case 'list':
      return expression.items.flatMap(namesIn);
    case 'struct':
      return [...expression.fields.values()].flatMap(namesIn);
    case 'call':
      return namesIn(expression.argument);
    case 'ellipsis':
    case 'number':
    case 'string':
      return [];
  }
}
