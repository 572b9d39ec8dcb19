// As ioredis-mock's users often have it: a bare name, which matches each path through ioredis as well.
module.exports = { moduleNameMapper: { ioredis: 'redraft/ioredis' } };
