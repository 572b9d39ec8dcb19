/**
 * `min-replicas-to-write`: no write is taken unless so many followers have acknowledged something of late
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/). A majority has every write
 * that is acknowledged, whatever this says: it is for who wants more than a majority.
 */
import type { Runnable } from '../../engine/index.js';
import { type FollowerLagHost, goodFollowers } from '../replication/follower-lag.js';
import { replies } from '../replies.js';
import type { Admission, AdmissionCheck } from './admission.js';
import type { AccountedClient } from './client-host.js';

/** What it needs of the node. */
export interface FollowerQuotaHost extends FollowerLagHost {
  readonly isLeader: boolean;
  readonly admission: Pick<Admission<AccountedClient>, 'addLast'>;
}

/** A script is refused as a whole: what it would write is not known before. */
const changesData = (row: Runnable): boolean =>
  row.kind === 'write'
    ? row.runsScripts || !('loggedOnly' in row && row.loggedOnly === true)
    : row.flags?.includes('write') === true;

export class FollowerQuota {
  private detach: (() => void) | undefined;

  constructor(private readonly host: FollowerQuotaHost) {}

  /** The settings may have changed: nobody is asked where none is in force. */
  follow(): void {
    const isInForce = goodFollowers(this.host) !== undefined;
    if (!isInForce) {
      this.detach?.();
      this.detach = undefined;
    } else this.detach ??= this.host.admission.addLast(this.check);
  }

  private readonly check: AdmissionCheck<AccountedClient> = {
    name: 'followers',
    concerns: (row, destination) => destination !== 'forward' && (changesData(row) || row.name === 'exec'),
    judge: (row, { transaction }) => {
      const { host } = this;
      if (!host.isLeader || (row.name === 'exec' && transaction?.writes !== true)) return undefined;
      const count = goodFollowers(host);
      if (count === undefined || count >= host.engine.keyspace.settings['min-replicas-to-write'])
        return undefined;
      return replies.notEnoughFollowers;
    },
  };
}
