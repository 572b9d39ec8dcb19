export default { test: { alias: { ioredis: 'redraft/ioredis' } } };
