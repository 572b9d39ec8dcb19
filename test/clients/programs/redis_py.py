"""A writer or a reader by redis-py: redis_py.py cluster|sentinel write|read KEY PORT..."""
import sys
import time

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

protocol, role, key = sys.argv[1:4]
ports = [int(port) for port in sys.argv[4:]]
if protocol == 'cluster':
    nodes = [ClusterNode('127.0.0.1', port) for port in ports]
    client = RedisCluster(startup_nodes=nodes, socket_timeout=1, socket_connect_timeout=1)
else:
    addresses = [('127.0.0.1', port) for port in ports]
    # Since 6 each call is tried ten times, with pauses: those to a Sentinel that is gone, too.
    once, thrice = Retry(NoBackoff(), 0), Retry(NoBackoff(), 3)
    sentinel = Sentinel(addresses, sentinel_kwargs={'socket_timeout': 1, 'retry': once}, socket_timeout=1)
    client = sentinel.master_for('mymaster', socket_timeout=1, retry=thrice)

number = 0
while True:
    began = time.monotonic()
    try:
        if role == 'write':
            client.rpush(key, number)
            print(f'+{number}', flush=True)
        else:
            print(f'+{client.llen(key)}', flush=True)
    except Exception as error:
        print(f'-{type(error).__name__} {error}'.replace('\n', ' '), flush=True)
    number += 1
    time.sleep(max(0, 0.005 - (time.monotonic() - began)))
