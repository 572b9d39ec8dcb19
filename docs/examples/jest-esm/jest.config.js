export default {
  testEnvironment: 'node',
  transform: {},
  moduleNameMapper: { '^ioredis$': 'redraft/ioredis' },
};
