/**
 * A Redraft in a process of its own, in memory: `node redraft-process.js PORT [cluster]`. What conformance
 * runs against unless told otherwise.
 */
import { Redraft } from '../src/index.js';

const port = Number(process.argv[2]);
const redraft = await Redraft.start({
  port,
  // As the redis-server is which it is compared with.
  settings: { 'cluster-enabled': process.argv[3] === 'cluster' ? 1 : 0 },
  configuration: { 'enable-debug-command': 'yes' },
  onFailure: (error) => {
    console.error(error);
    process.exit(1);
  },
});
process.once('SIGTERM', () => {
  redraft.stop().then(() => process.exit(0));
});
