<?php
// A writer or a reader by Predis: predis.php cluster|sentinel write|read KEY PORT...
require 'Predis/Autoloader.php';
Predis\Autoloader::register();

[, $protocol, $role, $key] = $argv;
$timeouts = 'timeout=1&read_write_timeout=1';
$nodes = array_map(fn($port) => "tcp://127.0.0.1:$port?$timeouts", array_slice($argv, 4));
$options = $protocol === 'cluster'
    ? ['cluster' => 'redis']
    : ['replication' => 'sentinel', 'service' => 'mymaster', 'parameters' => ['read_write_timeout' => 1]];
$client = null;
for ($number = 0; ; $number++) {
    $began = microtime(true);
    try {
        $client ??= new Predis\Client($nodes, $options);
        $reply = $role === 'write' ? $client->rpush($key, [$number]) : $client->llen($key);
        echo '+', $role === 'write' ? $number : $reply, "\n";
    } catch (Exception $e) {
        echo '-', get_class($e), ' ', str_replace("\n", ' ', $e->getMessage()), "\n";
        // It never asks a node again that it could not reach once: a new one does.
        if ($protocol === 'cluster') $client = null;
    }
    $rest = 0.005 - (microtime(true) - $began);
    if ($rest > 0) usleep((int) ($rest * 1e6));
}
