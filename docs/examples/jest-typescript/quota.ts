import type { Redis } from 'ioredis';

export interface Verdict {
  readonly allowed: boolean;
  readonly left: number;
}

/** So many calls a minute for each customer. */
export class Quota {
  constructor(
    private readonly redis: Redis,
    private readonly perMinute: number,
  ) {}

  async take(customer: string): Promise<Verdict> {
    const key = `quota:${customer}`;
    const replies = await this.redis.multi().incr(key).expire(key, 60, 'NX').exec();
    const used = Number(replies?.[0]?.[1]);
    return { allowed: used <= this.perMinute, left: Math.max(0, this.perMinute - used) };
  }
}
