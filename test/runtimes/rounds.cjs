/** Rounds of the library in any runtime, by the first argument; the second is a directory. Prints `ok` at the end. */
const assert = require('node:assert/strict');
const path = require('node:path');
const { writeSync } = require('node:fs');
const { Redraft } = require('../../dist/library/index.js');
const { Engine } = require('../../dist/library/engine.js');
const Redis = require('ioredis');

const [, , round, name] = process.argv;
const say = (text) => writeSync(1, `${text}\n`);

const rounds = {
  async memory() {
    assert.equal(new Engine({ seed: 1 }).call('SET', 'k', 'v'), 'OK');
    const redraft = await Redraft.start();
    const redis = new Redis(redraft.options('ioredis'));
    assert.equal(await redis.set('k', 'v', 'EX', 10), 'OK');
    const waiting = redis.duplicate();
    const popped = waiting.blpop('list', 0);
    await redis.rpush('list', 'a');
    assert.deepEqual(await popped, ['list', 'a']);
    await redraft.clock.advance(10_001);
    assert.equal(await redis.get('k'), null);
    await redraft.load({ k: 'again' });
    const saved = redraft.snapshot();
    await redraft.flush();
    await redraft.restore(saved);
    assert.equal(await redraft.get('k'), 'again');
    redis.disconnect();
    waiting.disconnect();
    await redraft.stop();
  },
  /** Holds a directory until it is killed. */
  async hold() {
    const redraft = await Redraft.start({ dir: path.resolve(name) });
    await redraft.load({ k: 'kept' });
    await assert.rejects(Redraft.start({ dir: path.resolve(name) }), {
      code: 'locked',
      message: new RegExp(`in use by process ${process.pid};`),
    });
    say('holds');
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  },
  async locked() {
    await assert.rejects(Redraft.start({ dir: path.resolve(name) }), { code: 'locked' });
  },
  /** After the kill. */
  async recovered() {
    const redraft = await Redraft.start({ dir: path.resolve(name) });
    assert.equal(await redraft.get('k'), 'kept');
    await redraft.load({ k: 'kept again' });
    await redraft.restart();
    assert.equal(await redraft.get('k'), 'kept again');
    await redraft.stop();
  },
  async cluster() {
    const cluster = await Redraft.cluster(3, { dir: path.resolve(name) });
    await cluster.load({ k: 'v' });
    await cluster.kill(0);
    assert.equal(await cluster.get('k'), 'v');
    await cluster.stop();
  },
};

rounds[round]().then(
  () => {
    say('ok');
    process.exit(0);
  },
  (error) => {
    say(error.stack);
    process.exit(1);
  },
);
