package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// inside counts the listeners that are in a queue of a group now: an ordered queue has at most one, over all members.
var inside sync.Map

// consuming is one push consumer. Every delivery becomes a "msg" event.
type consuming struct {
	consumer   rocketmq.PushConsumer
	name       string
	group      string
	ordered    bool
	pause      time.Duration
	failures   int32 // a message is consumed when it comes for the time after so many
	retryLevel int
}

func newConsuming(w words) (*consuming, error) {
	c := &consuming{
		name: w["name"], group: w["group"], ordered: w["listener"] == "orderly",
		pause:    time.Duration(w.number("sleep_us", 0)) * time.Microsecond,
		failures: int32(w.number("failures", 0)), retryLevel: w.number("retry_level", 0),
	}
	model, from := consumer.Clustering, consumer.ConsumeFromFirstOffset
	if w["model"] == "BROADCASTING" {
		model = consumer.BroadCasting
	}
	if w["from"] == "LAST" {
		from = consumer.ConsumeFromLastOffset
	}
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: w.text("expression", "*")}
	if sql := w["sql"]; sql != "" {
		selector = consumer.MessageSelector{Type: consumer.SQL92, Expression: sql}
	}
	made, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer([]string{w["namesrv"]}),
		consumer.WithGroupName(w["group"]),
		consumer.WithInstance(w["name"]),
		consumer.WithConsumerModel(model),
		consumer.WithConsumeFromWhere(from),
		consumer.WithConsumerOrder(c.ordered),
		consumer.WithConsumeGoroutineNums(w.number("threads", 1)),
		consumer.WithCredentials(w.signing()),
		consumer.WithPullBatchSize(int32(w.number("pull_batch", 32))),
		consumer.WithMaxReconsumeTimes(int32(w.number("max_tries", -1))))
	if err != nil {
		return nil, err
	}
	c.consumer = made
	if err := made.Subscribe(w["topic"], selector, c.take); err != nil {
		return nil, err
	}
	return c, made.Start()
}

func (c *consuming) stop() error { return c.consumer.Shutdown() }

func (c *consuming) take(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	var others int32
	if c.ordered {
		place := fmt.Sprintf("%s %s", c.group, messages[0].Queue)
		count, _ := inside.LoadOrStore(place, new(int32))
		others = atomic.AddInt32(count.(*int32), 1) - 1
		defer atomic.AddInt32(count.(*int32), -1)
	}
	for _, message := range messages {
		delivered(c.name, message, others)
	}
	time.Sleep(c.pause)
	if !c.ordered && messages[0].ReconsumeTimes < c.failures {
		if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
			concurrently.DelayLevelWhenNextConsume = c.retryLevel
		}
		return consumer.ConsumeRetryLater, nil
	}
	return consumer.ConsumeSuccess, nil
}
