# A writer or a reader by redis-rb: redis_rb.rb cluster|sentinel write|read KEY PORT...
require 'redis'

protocol, role, key, *ports = ARGV
$stdout.sync = true

def connect(protocol, ports)
  options = { timeout: 1, reconnect_attempts: 5, reconnect_delay: 0.1, reconnect_delay_max: 0.5 }
  if protocol == 'cluster'
    nodes = ports.map { |port| "redis://127.0.0.1:#{port}" }
    Redis.new(cluster: nodes, **options, reconnect_attempts: 1)
  else
    sentinels = ports.map { |port| { host: '127.0.0.1', port: port.to_i } }
    Redis.new(url: 'redis://mymaster', sentinels: sentinels, role: :master, **options)
  end
end

client = nil
number = 0
loop do
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  begin
    client ||= connect(protocol, ports)
    if role == 'write'
      client.rpush(key, number)
      puts "+#{number}"
    else
      puts "+#{client.llen(key)}"
    end
  rescue StandardError => e
    puts "-#{e.class} #{e.message}".tr("\n", ' ')
    # After a timeout it asks the same node again for good: a new one finds out where the cluster stands.
    client = nil if protocol == 'cluster'
  end
  number += 1
  rest = 0.005 - (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began)
  sleep(rest) if rest.positive?
end
