/**
 * Why a case or requirement has no test that names it. Everything else must have one: see MISSING_FAILS in compliance.mjs.
 */
export const REASONS = {
  D27: 'there is no power request: nothing asks a NIC to sleep',
  E20: 'a NIC has one receive queue, so there is no table that could change',
  F01: 'not shown yet, belongs to the work on drivers: stacked drivers each restore the handle of their level in src/intermediate-driver',
  F02: 'no test of its own: no simulated machine ends with an entry left in a driver, whatever its NICs refused (src/scenario/invariants.ts)',
  F03: 'the tables of a driver grow, so it has no memory to run out of; calls to a dead member are failed as a whole',
  F04: 'a completion carries one buffer: there is no chain to split',
  F05: 'not shown yet, belongs to the work on drivers: they pass the counts of what was consumed on as they are',
  F07: 'not shown yet as a case of its own, belongs to the work on failover; that no initiate is lost is B10',
  F10: 'not shown yet, belongs to the work on failover',
  F14: 'needs a team that balances load, which is not built yet (R41)',
  F16: 'no driver puts blocks into a list yet: IPsec offload, which would, is not built (R43)',
  F17: 'a move from NIC to NIC inside a driver is not built yet (R39)',
  F19: 'no test of its own, belongs to the work on failover: simulated hosts without a team lose their cables (src/scenario/transparency-actions.ts)',
  F20: 'how long each failover took is reported by npm start and machine.status(); the burst after it is not measured yet',
  R20: 'no second chimney is built yet; blocks have room for further kinds of state object (src/offload/block-list.ts)',
  R39: 'a move from NIC to NIC inside a driver is not built yet: failover goes through the host (R38)',
  R41: 'teams that balance load are not built yet: a team is active-backup',
  R43: 'IPsec offload is not built yet',
  R46: 'shape of the program: src/machine-threads.ts starts a thread for each NIC and keeps the host in its own',
  R48: 'shape of the program: npm run bench, npm start and npm run profile:doctor',
  R49: 'shape of the project: package.json',
  R50: 'shape of the project: the folders under src, bench and test',
};
