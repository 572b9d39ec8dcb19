// A writer or a reader by redigo and redisc: redisc cluster write|read KEY PORT...
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"
)

func connect(addresses []string) *redisc.Cluster {
	return &redisc.Cluster{
		StartupNodes: addresses,
		DialOptions: []redis.DialOption{
			redis.DialConnectTimeout(time.Second), redis.DialReadTimeout(time.Second),
			redis.DialWriteTimeout(time.Second),
		},
	}
}

func main() {
	role, key := os.Args[2], os.Args[3]
	var addresses []string
	for _, port := range os.Args[4:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	cluster := connect(addresses)
	call := func(command string, args ...interface{}) (int64, error) {
		plain := cluster.Get()
		defer plain.Close()
		retrying, err := redisc.RetryConn(plain, 5, 100*time.Millisecond)
		if err != nil {
			return 0, err
		}
		return redis.Int64(retrying.Do(command, args...))
	}
	for number := int64(0); ; number++ {
		began := time.Now()
		shown, err := number, error(nil)
		if role == "write" {
			_, err = call("RPUSH", key, number)
		} else {
			shown, err = call("LLEN", key)
		}
		if err == nil {
			fmt.Printf("+%d\n", shown)
		} else {
			fmt.Printf("-%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			// It asks masters alone where the cluster stands: with one shard nobody is left to be asked.
			cluster = connect(addresses)
		}
		time.Sleep(5*time.Millisecond - time.Since(began))
	}
}
