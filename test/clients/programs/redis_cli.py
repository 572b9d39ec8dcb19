"""A writer or a reader by redis-cli -c, as one process: redis_cli.py cluster write|read KEY PORT..."""
import subprocess
import sys
import time

_, role, key, *ports = sys.argv[1:]
client = subprocess.Popen(
    ['redis-cli', '-c', '-p', ports[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT, text=True, bufsize=1)
number = 0
while True:
    began = time.monotonic()
    client.stdin.write(f'RPUSH "{key}" {number}\n' if role == 'write' else f'LLEN "{key}"\n')
    client.stdin.flush()
    line = client.stdout.readline()
    # Where it is sent to is said on a line of its own, before the reply.
    while line.strip() == '' or line.startswith('-> Redirected'):
        if line == '':
            sys.exit('redis-cli has ended')
        line = client.stdout.readline()
    line = line.strip()
    if line.isdigit():
        print(f'+{number if role == "write" else line}', flush=True)
    else:
        print(f'-{line}', flush=True)
    number += 1
    time.sleep(max(0, 0.005 - (time.monotonic() - began)))
