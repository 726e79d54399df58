// Unmodified node:http over a machine whose NIC fails in the middle of a transfer.
// Run: node examples/http.mjs
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { createMachine } from 'chimney';

const machine = await createMachine({
  address: '10.0.0.1/24',
  nics: [{ name: 'nic0' }, { name: 'nic1' }],
  team: { mode: 'active-backup' },
  offload: { policy: 'everything' },
  peers: [{ name: 'client', address: '10.0.0.2/24' }],
});
const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

const file = randomBytes(4 << 20);
const server = http.createServer((_request, response) => response.end(file));
machine.net.createServer(socket => server.emit('connection', socket)).listen(80);

const createConnection = () => machine.peers.client.net.connect(80, '10.0.0.1');
const received = await new Promise((resolve, reject) => {
  http
    .get({ host: '10.0.0.1', createConnection }, response => {
      const parts = [];
      response.once('data', () => machine.nics[0].pullCable());
      response.on('data', part => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts)));
    })
    .on('error', reject);
});

const { failovers, everOffloaded } = machine.status();
console.log(`${received.length} bytes, ${sha256(received) === sha256(file) ? 'intact' : 'DAMAGED'}`);
console.log(`${failovers.length} failover, ${everOffloaded} offloads`);
await machine.close();
