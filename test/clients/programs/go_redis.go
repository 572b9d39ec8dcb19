// A writer or a reader by go-redis: go_redis cluster|sentinel write|read KEY PORT...
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"gopkg.in/redis.v5"
)

type client interface {
	RPush(key string, values ...interface{}) *redis.IntCmd
	LLen(key string) *redis.IntCmd
}

func main() {
	protocol, role, key := os.Args[1], os.Args[2], os.Args[3]
	var addresses []string
	for _, port := range os.Args[4:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	var connected client
	if protocol == "cluster" {
		connected = redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addresses, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		})
	} else {
		connected = redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: "mymaster", SentinelAddrs: addresses, MaxRetries: 3,
			DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		})
	}
	for number := int64(0); ; number++ {
		began := time.Now()
		shown, err := number, error(nil)
		if role == "write" {
			err = connected.RPush(key, number).Err()
		} else {
			shown, err = connected.LLen(key).Result()
		}
		if err == nil {
			fmt.Printf("+%d\n", shown)
		} else {
			fmt.Printf("-%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		}
		time.Sleep(5*time.Millisecond - time.Since(began))
	}
}
