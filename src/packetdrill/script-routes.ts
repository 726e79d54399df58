/**
 * The routes of the host under test: one to the remote end, as packetdrill sets it up, and the default route; scripts change
 * them in front of their first event and under way (route-commands.ts).
 */
import type { Host } from '../host/host.ts';
import type { Settings } from './settings.ts';
import type { RouteCommand } from './route-commands.ts';
import { ScriptError, Unsupported } from './script-error.ts';

const SINGLE_HOST = { 4: 32, 6: 128 } as const;

/** Of a new host that has a default route. */
export function addRemoteRoute(host: Host, { ends }: Settings): void {
  const iface = host.interfaces[0]!;
  const { network } = host;
  if (ends.version === 4) network.paths.routes.add(ends.remote, SINGLE_HOST[4], ends.gateway, iface);
  else network.ipv6.addRoute(ends.remote, SINGLE_HOST[6], ends.gateway, iface);
}

export function applyRoute(host: Host, command: RouteCommand, { ends }: Settings): void {
  const { verb, version, text, line } = command;
  if (version !== ends.version) throw new Unsupported(line, `routes of another family than the script: ${text}`);
  const isChanged = verb !== 'add' && change(host, command);
  if (verb === 'add' && has(host, command)) throw new ScriptError(line, `${text}: there is one already`);
  if (!isChanged && verb === 'change') {
    // Whoever wrote it had other addresses; what the route should say of the remote end would say it of nobody.
    throw new Unsupported(
      line,
      `${text.slice(0, 50)}: there is no such route (the remote end may have another address)`,
    );
  }
  if (!isChanged) add(host, command);
  host.network.routesChanged();
}

function has({ network, interfaces }: Host, { prefix, prefixLength }: RouteCommand): boolean {
  const iface = interfaces[0]!;
  if (typeof prefix !== 'number') return network.ipv6.routes.staticRoute(prefix, prefixLength, iface) !== undefined;
  return network.paths.routes.has(prefix, prefixLength, iface);
}

function change({ network, interfaces }: Host, command: RouteCommand): boolean {
  const { prefix, prefixLength, metrics } = command;
  const iface = interfaces[0]!;
  if (typeof prefix === 'number') {
    return network.paths.changeRoute(prefix, prefixLength, iface, ipv4Gateway(command), metrics);
  }
  return network.ipv6.changeRoute(prefix, prefixLength, ipv6Gateway(command), iface, metrics);
}

function add({ network, interfaces }: Host, command: RouteCommand): void {
  const { prefix, prefixLength, metrics } = command;
  const iface = interfaces[0]!;
  if (typeof prefix === 'number') network.paths.routes.add(prefix, prefixLength, ipv4Gateway(command), iface, metrics);
  else network.ipv6.addRoute(prefix, prefixLength, ipv6Gateway(command), iface, metrics);
}

/** 0: on the link. */
function ipv4Gateway({ gateway }: RouteCommand): number {
  return typeof gateway === 'number' ? gateway : 0;
}

function ipv6Gateway({ gateway }: RouteCommand): Int32Array | null {
  return typeof gateway === 'number' ? null : gateway;
}
