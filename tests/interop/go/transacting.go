package main

import (
	"context"
	"strconv"
	"strings"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// transacting is one producer of transactions. What becomes of a message stands on it: "local" is what the local transaction says at once, "check" what is said
// whenever the broker asks; a comma parts what is said the first time, the second, and from then on.
type transacting struct {
	producer rocketmq.TransactionProducer
	name     string
}

var states = map[string]primitive.LocalTransactionState{
	"COMMIT_MESSAGE": primitive.CommitMessageState, "ROLLBACK_MESSAGE": primitive.RollbackMessageState,
	"UNKNOW": primitive.UnknowState,
}

func newTransacting(w words) (*transacting, error) {
	t := &transacting{name: w["name"]}
	made, err := rocketmq.NewTransactionProducer(t,
		producer.WithNameServer([]string{w["namesrv"]}),
		producer.WithGroupName(w["group"]),
		producer.WithCredentials(w.signing()),
		producer.WithInstanceName(w["name"]))
	if err != nil {
		return nil, err
	}
	t.producer = made
	return t, made.Start()
}

func (t *transacting) stop() error { return t.producer.Shutdown() }

func (t *transacting) begin(w words) error {
	for seq := 0; seq < w.number("count", 1); seq++ {
		id := w["run"] + "." + w["worker"] + "." + strconv.Itoa(seq)
		message := primitive.NewMessage(w["topic"], payloadOf(id, 100))
		message.WithTag(w.text("tags", "A"))
		message.WithKeys([]string{id})
		message.WithProperty("id", id)
		message.WithProperty("local", w["local"])
		message.WithProperty("check", w.text("check", "UNKNOW"))
		result, err := t.producer.SendMessageInTransaction(context.Background(), message)
		if err != nil {
			failed([]string{id}, "transaction", err)
			continue
		}
		emit("ack", fields{
			"id": id, "mode": "transaction", "s": statusOf(result.SendResult), "m": result.MsgID, "om": result.OffsetMsgID,
			"q": result.MessageQueue.QueueId, "o": result.QueueOffset, "at": nowMillis(),
		})
	}
	return nil
}

// ExecuteLocalTransaction is the client's callback.
func (t *transacting) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	return states[message.GetProperty("local")]
}

// CheckLocalTransaction is the client's callback.
func (t *transacting) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	_, intact := idOf(message.Body)
	times := message.GetProperty("TRANSACTION_CHECK_TIMES")
	emit("check", fields{
		"p": t.name, "id": message.GetProperty("id"), "times": orNull(times), "t": message.Topic,
		"m": orNull(message.TransactionId), "intact": intact, "now": nowMillis(),
	})
	answers := strings.Split(message.GetProperty("check"), ",")
	number, err := strconv.Atoi(times)
	if err != nil {
		number = 1
	}
	if number > len(answers) {
		number = len(answers)
	}
	return states[answers[number-1]]
}
