import { Redraft } from 'redraft';

// One node for all files of tests, as a suite has one database.
export async function mochaGlobalSetup() {
  this.redraft = await Redraft.start();
  process.env.REDIS_URL = this.redraft.url;
}

export async function mochaGlobalTeardown() {
  await this.redraft.stop();
}
