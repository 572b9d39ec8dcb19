/** A server's thread that writes the code cache of what it has run when told to. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type MessagePort, workerData } from 'node:worker_threads';
import { bundleFiles, compile, run } from './loader.js';

const { folder, port } = workerData as { readonly folder: string; readonly port: MessagePort };
const script = compile(folder, 'serve');
run(script, folder, 'serve', createRequire(join(folder, 'main.js')));
port.once('message', () => {
  writeFileSync(bundleFiles(folder, 'serve').cache, script.createCachedData());
  port.postMessage('cached');
});
