// The README's sample as a program: a server behind a team of two NICs, a client on the same network.
// Run: node examples/hello.mjs
import { once } from 'node:events';
import { createMachine } from 'chimney';

const machine = await createMachine({
  address: '10.0.0.1/24',
  nics: [{ name: 'nic0' }, { name: 'nic1' }],
  team: { mode: 'active-backup' },
  peers: [{ name: 'client', address: '10.0.0.2/24' }],
});

machine.net.createServer(socket => socket.end('hello')).listen(80);
machine.events.on('failover', event => console.log(event.text));

const socket = machine.peers.client.net.connect(80, '10.0.0.1');
await machine.nics[0].pullCable();
socket.on('data', bytes => console.log(String(bytes)));
await once(socket, 'close');

await machine.close();
