// Many RocketMQ clients in one process, told what to do line by line on standard input, as ../java/Peer.java is: the same verbs, words and events, of them
//
//	producer   name= namesrv= group= [timeout= retries= queues=]
//	consumer   name= namesrv= group= topic= [expression= sql= listener=concurrent|orderly model= threads= from= failures= retry_level= max_tries=]
//	send       name= topic= run= worker= mode=sync|async|oneway|batch [from= count= size= tags= keys= number= key= batch= pause_us= level=]
//	txproducer name= namesrv= group=
//	transact   name= topic= run= worker= local= [check= count= tags=]
//	stop       name=
//
// A client signs its requests with user=NAME:PASSWORD. The end of the input ends the process.
package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// words are the key=value words of one command.
type words map[string]string

func parse(line []string) (words, error) {
	parsed := words{}
	for _, word := range line {
		name, value, _ := strings.Cut(word, "=")
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		parsed[name] = text
	}
	return parsed, nil
}

func (w words) text(name, otherwise string) string {
	if value, ok := w[name]; ok {
		return value
	}
	return otherwise
}

// signing is what a client with user=NAME:PASSWORD signs its requests with; nothing for another.
func (w words) signing() primitive.Credentials {
	name, password, _ := strings.Cut(w["user"], ":")
	return primitive.Credentials{AccessKey: name, SecretKey: password}
}

func (w words) number(name string, otherwise int) int {
	value, err := strconv.Atoi(w[name])
	if err != nil {
		return otherwise
	}
	return value
}

type client interface{ stop() error }

var (
	clientsMutex sync.Mutex
	clients      = map[string]client{}
)

func add(name string, made client, err error) error {
	if err != nil {
		return err
	}
	clientsMutex.Lock()
	defer clientsMutex.Unlock()
	clients[name] = made
	return nil
}

func find[T client](name string) (T, error) {
	clientsMutex.Lock()
	defer clientsMutex.Unlock()
	found, ok := clients[name].(T)
	if !ok {
		return found, fmt.Errorf("no such client: %s", name)
	}
	return found, nil
}

func perform(verb string, w words) error {
	name := w["name"]
	switch verb {
	case "producer":
		made, err := newProducing(w)
		return add(name, made, err)
	case "consumer":
		made, err := newConsuming(w)
		return add(name, made, err)
	case "txproducer":
		made, err := newTransacting(w)
		return add(name, made, err)
	case "send":
		found, err := find[*producing](name)
		if err != nil {
			return err
		}
		return found.send(w)
	case "transact":
		found, err := find[*transacting](name)
		if err != nil {
			return err
		}
		return found.begin(w)
	case "stop":
		found, err := find[client](name)
		if err != nil {
			return err
		}
		clientsMutex.Lock()
		delete(clients, name)
		clientsMutex.Unlock()
		return found.stop()
	}
	return fmt.Errorf("unknown command %s", verb)
}

func run(verb string, w words) {
	call := w.number("call", 0)
	if err := perform(verb, w); err != nil {
		emit("error", fields{"call": call, "error": err.Error()})
		return
	}
	emit("done", fields{"call": call})
}

func main() {
	if err := rlog.SetOutputPath("client.log"); err != nil {
		panic(err)
	}
	rlog.SetLogLevel("warn")
	go flushEvents()
	emit("ready", fields{})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.Fields(in.Text())
		w, err := parse(line[1:])
		if err != nil {
			panic(err)
		}
		go run(line[0], w)
	}
	flush()
}
