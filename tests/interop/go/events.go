package main

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

type fields map[string]any

var (
	outMutex sync.Mutex
	out      = bufio.NewWriterSize(os.Stdout, 1<<16)
)

// emit writes one event. Lines of all goroutines come out whole, in the order in which they happened.
func emit(kind string, event fields) {
	event["e"] = kind
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	outMutex.Lock()
	defer outMutex.Unlock()
	out.Write(line)
	out.WriteByte('\n')
}

func flush() {
	outMutex.Lock()
	defer outMutex.Unlock()
	if out.Flush() != nil {
		os.Exit(3) // nobody listens any more
	}
}

// flushEvents makes many events share a write.
func flushEvents() {
	for {
		flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func nowMillis() int64 { return time.Now().UnixNano() / int64(time.Millisecond) }

// orNull is what Java makes of a string that is not there.
func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return text
}

// delivered reports a message as the listener of a consumer was given it; others are the listeners that are in its queue at this moment.
func delivered(consumer string, message *primitive.MessageExt, others int32) {
	id, ok := idOf(message.Body)
	if !ok {
		id = "damaged"
	}
	emit("msg", fields{
		"c": consumer, "id": id, "q": message.Queue.QueueId, "o": message.QueueOffset, "m": message.MsgId,
		"tag": orNull(message.GetTags()), "keys": orNull(message.GetKeys()), "r": message.ReconsumeTimes, "x": others,
		"b": message.Queue.BrokerName, "t": message.Topic,
		"origin": orNull(message.GetProperty(primitive.PropertyOriginMessageId)),
		"born":   message.BornTimestamp, "store": message.StoreTimestamp, "now": nowMillis(),
	})
}
