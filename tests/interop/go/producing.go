package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const queueNumber = "queue-number"

// byNumber sends a message to the queue that its property asks for, and others round robin.
type byNumber struct{ others producer.QueueSelector }

func (s byNumber) Select(message *primitive.Message, queues []*primitive.MessageQueue, lastBroker string) *primitive.MessageQueue {
	number, err := strconv.Atoi(message.GetProperty(queueNumber))
	if err != nil {
		return s.others.Select(message, queues, lastBroker)
	}
	for _, queue := range queues {
		if queue.QueueId == number%len(queues) {
			return queue
		}
	}
	return nil
}

// producing is one producer. Every attempt becomes an "ack" or a "fail" event.
type producing struct{ producer rocketmq.Producer }

func newProducing(w words) (*producing, error) {
	made, err := rocketmq.NewProducer(
		producer.WithNameServer([]string{w["namesrv"]}),
		producer.WithGroupName(w["group"]),
		producer.WithInstanceName(w["name"]),
		producer.WithRetry(w.number("retries", 2)),
		producer.WithSendMsgTimeout(time.Duration(w.number("timeout", 3000))*time.Millisecond),
		producer.WithDefaultTopicQueueNums(w.number("queues", 4)),
		producer.WithCredentials(w.signing()),
		producer.WithQueueSelector(byNumber{producer.NewRoundRobinQueueSelector()}))
	if err != nil {
		return nil, err
	}
	return &producing{made}, made.Start()
}

func (p *producing) stop() error { return p.producer.Shutdown() }

// send returns when the fate of each message is known.
func (p *producing) send(w words) error {
	prefix := w["run"] + "." + w["worker"] + "."
	from, count := w.number("from", 0), w.number("count", 1)
	block := 1
	if w["mode"] == "batch" {
		block = w.number("batch", 20)
	}
	var callbacks sync.WaitGroup
	inFlight := make(chan struct{}, 256)
	for seq := from; seq < from+count; seq += block {
		messages := make([]*primitive.Message, 0, block)
		ids := make([]string, 0, block)
		for i := seq; i < seq+block && i < from+count; i++ {
			messages = append(messages, p.message(w, prefix, i))
			ids = append(ids, prefix+strconv.Itoa(i))
		}
		begin := time.Now()
		switch w["mode"] {
		case "oneway":
			if err := p.producer.SendOneWay(context.Background(), messages...); err != nil {
				failed(ids, w["mode"], err)
			} else {
				emit("oneway", fields{"id": ids[0]})
			}
		case "async":
			inFlight <- struct{}{}
			callbacks.Add(1)
			fate := func(_ context.Context, result *primitive.SendResult, err error) {
				settled(ids, "async", result, err, begin)
				<-inFlight
				callbacks.Done()
			}
			if err := p.producer.SendAsync(context.Background(), fate, messages...); err != nil {
				fate(context.Background(), nil, err)
			}
		default:
			result, err := p.producer.SendSync(context.Background(), messages...)
			settled(ids, w["mode"], result, err, begin)
		}
		time.Sleep(time.Duration(w.number("pause_us", 0)) * time.Microsecond)
	}
	callbacks.Wait()
	return nil
}

func (p *producing) message(w words, prefix string, seq int) *primitive.Message {
	id := prefix + strconv.Itoa(seq)
	message := primitive.NewMessage(w["topic"], payloadOf(id, w.number("size", 100)))
	tags := strings.Split(w["tags"], ",")
	if tag := tags[seq%len(tags)]; tag != "" {
		message.WithTag(tag)
	}
	message.WithKeys([]string{w.text("key", id)})
	if w.number("number", 0) != 0 {
		message.WithProperty("number", strconv.Itoa(seq))
	}
	if level := w.number("level", 0); level > 0 {
		message.WithDelayTimeLevel(level)
	}
	if keys := w.number("keys", 0); keys > 0 {
		message.WithProperty(queueNumber, strconv.Itoa(seq%keys))
	}
	return message
}

var statusNames = map[primitive.SendStatus]string{
	primitive.SendOK: "SEND_OK", primitive.SendFlushDiskTimeout: "FLUSH_DISK_TIMEOUT",
	primitive.SendFlushSlaveTimeout: "FLUSH_SLAVE_TIMEOUT", primitive.SendSlaveNotAvailable: "SLAVE_NOT_AVAILABLE",
}

func statusOf(result *primitive.SendResult) string {
	if name, ok := statusNames[result.Status]; ok {
		return name
	}
	return "UNKNOWN_ERROR"
}

func settled(ids []string, mode string, result *primitive.SendResult, err error, begin time.Time) {
	if err != nil {
		failed(ids, mode, err)
		return
	}
	for i, id := range ids {
		emit("ack", fields{
			"id": id, "mode": mode, "s": statusOf(result), "q": result.MessageQueue.QueueId, "o": result.QueueOffset + int64(i),
			"us": time.Since(begin).Microseconds(), "m": result.MsgID, "om": result.OffsetMsgID, "at": nowMillis(),
			"b": result.MessageQueue.BrokerName, "ids": strings.Count(result.OffsetMsgID, ",") + 1, "n": len(ids),
		})
	}
}

func failed(ids []string, mode string, err error) {
	for _, id := range ids {
		emit("fail", fields{"id": id, "mode": mode, "error": err.Error()})
	}
}
