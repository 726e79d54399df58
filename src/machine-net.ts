/**
 * What `machine.net` and `machine.udp` need of a threaded machine: its poll loop, its clock and Node's timers
 * (net/net-host.ts, dgram/udp-host.ts).
 *
 * The simulation's tests have another of these, over virtual time.
 */
import type { Host } from './host/host.ts';
import type { UdpHost } from './dgram/udp-host.ts';
import type { ThreadedMachine } from './machine-threads.ts';

export function netHostOf(machine: ThreadedMachine, host: Host): UdpHost {
  const { loop, clock } = machine;
  return {
    tli: host.tli,
    udp: host.udp,
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
