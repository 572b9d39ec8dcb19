const Redis = require('ioredis');

const redis = new Redis({ keyPrefix: 'token:' });

/** One-time tokens, good for ten minutes. */
exports.issue = async (user, token) => {
  await redis.set(token, user, 'EX', 600);
};

/** The user of a token, which is spent with it; null if there is none. */
exports.redeem = (token) => redis.getdel(token);
