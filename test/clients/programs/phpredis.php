<?php
// A writer or a reader by phpredis: phpredis.php cluster|sentinel write|read KEY PORT...
[, $protocol, $role, $key] = $argv;
$ports = array_slice($argv, 4);

function connect(string $protocol, array $ports): object
{
    if ($protocol === 'cluster')
        return new RedisCluster(null, array_map(fn($port) => "127.0.0.1:$port", $ports), 1, 1);
    // RedisSentinel only asks where the master is: to connect is the application's.
    foreach ($ports as $port) {
        try {
            $sentinel = new RedisSentinel('127.0.0.1', (int) $port, 1, null, 0, 1);
            $address = $sentinel->getMasterAddrByName('mymaster');
            if (!$address) continue;
            $client = new Redis();
            $client->connect($address[0], (int) $address[1], 1, null, 0, 1);
            return $client;
        } catch (RedisException $e) {
        }
    }
    throw new RedisException('no Sentinel knows a master');
}

$client = null;
for ($number = 0; ; $number++) {
    $began = microtime(true);
    try {
        $client ??= connect($protocol, $ports);
        $reply = $role === 'write' ? $client->rPush($key, $number) : $client->lLen($key);
        if ($reply === false) throw new RedisException($client->getLastError() ?? 'false');
        echo '+', $role === 'write' ? $number : $reply, "\n";
    } catch (Exception $e) {
        echo '-', get_class($e), ' ', str_replace("\n", ' ', $e->getMessage()), "\n";
        // As its documentation has it, a new one finds out where the cluster stands.
        $client = null;
    }
    $rest = 0.005 - (microtime(true) - $began);
    if ($rest > 0) usleep((int) ($rest * 1e6));
}
