/** The thread that makes an RDB file of a snapshot, so that the node's own has nothing to do with it. */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { RdbConversion } from '../../engine/index.js';
import type { RdbJob, RdbOrder, RdbReport } from './rdb-job.js';

const { descriptor, facts, content, traces } = workerData as RdbJob;
const port = parentPort!;
let fileBytes = 0;

const report = (text: RdbReport): void => port.postMessage(text);

const conversion = new RdbConversion({
  facts,
  traces,
  wants: content === 'all' ? undefined : () => false,
  hasFunctions: content !== 'nothing',
  sink: (bytes) => {
    for (let at = 0; at < bytes.length; )
      at += writeSync(descriptor, bytes, at, bytes.length - at, fileBytes + at);
    fileBytes += bytes.length;
  },
});

port.on('message', (order: RdbOrder) => {
  try {
    if (order.kind === 'snapshot') {
      const { buffer, byteOffset, byteLength } = order.bytes;
      conversion.feed(Buffer.from(buffer, byteOffset, byteLength));
      report({ kind: 'taken', bytes: byteLength });
    } else {
      conversion.finish();
      report({ kind: 'done', fileBytes, keys: conversion.keys });
      port.close();
    }
  } catch (error) {
    report({ kind: 'failed', why: (error as Error).message });
    port.close();
  }
});
