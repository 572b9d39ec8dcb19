module.exports = {
  testEnvironment: 'node',
  moduleNameMapper: { '^ioredis$': 'redraft/ioredis' },
};
