/** The best players, on a client of ioredis. */
export class Leaderboard {
  constructor(redis) {
    this.redis = redis;
  }

  async score(player, points) {
    await this.redis.zincrby('board', points, player);
  }

  /** The first `count` players, best first. */
  async top(count) {
    const flat = await this.redis.zrevrange('board', 0, count - 1, 'WITHSCORES');
    return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], Number(flat[2 * i + 1])]);
  }
}
