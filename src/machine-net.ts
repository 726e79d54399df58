/**
 * What `machine.net` needs of a threaded machine: its poll loop, its clock and Node's timers (net/net-host.ts).
 *
 * The simulation's tests have another of these, over virtual time.
 */
import type { Host } from './host/host.ts';
import type { NetHost } from './net/net-host.ts';
import type { ThreadedMachine } from './machine-threads.ts';

export function netHostOf(machine: ThreadedMachine, host: Host): NetHost {
  const { loop, clock } = machine;
  return {
    tli: host.tli,
    addresses: () => host.ownAddresses,
    zone: name => host.interfaces.find(({ adapter }) => adapter.name === name),
    enter: () => host.setTime(clock.nowUs()),
    wake: () => loop.wake(),
    // The machine's threads keep Node alive until `machine.close()`, whatever sockets there are.
    keepAlive: () => {},
    startTimer: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      timer.unref();
      return timer;
    },
  };
}
