#include "bench/options.h"

#include <CLI/CLI.hpp>

namespace bench {
namespace {

void AddCommon(CLI::App& app, Options& options) {
  app.add_option("-n,--namesrv", options.namesrv, "Nameserver address; the broker is taken from the topic's route.");
  app.add_option("-b,--broker", options.broker, "Broker address; the nameserver is not asked.");
  app.add_option("-t,--topic", options.topic, "Topic; made when missing.");
  app.add_option("-q,--queues", options.queues, "Queues of the topic.")->check(CLI::Range(1, 9999));
  app.add_flag("!--no-create", options.create_topic, "Do not make the topic.");
  app.add_option("-c,--connections", options.connections, "Connections.")->check(CLI::Range(1, 10000));
  app.add_option("-i,--in-flight", options.in_flight, "Requests under way on each connection.")->check(CLI::Range(1, 65536));
  app.add_option("--warmup", options.warmup_seconds, "Seconds before measuring begins.")->check(CLI::NonNegativeNumber);
  app.add_option("-d,--seconds", options.seconds, "Seconds to measure.")->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "Threads of the load generator.")->check(CLI::Range(1, 256));
  app.add_option("--pid", options.pid, "Process id of the broker: adds its CPU time and memory to the result.");
  app.add_flag("--json", options.json, "Print the result as one JSON object.");
  app.add_flag("--quiet", options.quiet, "No progress line.");
}

}  // namespace

std::string TopicOf(const Options& options, int32_t connection) {
  if (options.topics == 1) return options.topic;
  return options.topic + "-" + std::to_string(connection % options.topics);
}

int ParseOptions(int argc, char** argv, Options* options) {
  CLI::App app("Load for any RocketMQ broker: throughput, latency and the broker's cost per message.", "ringmq bench");
  app.require_subcommand(1);

  CLI::App* produce = app.add_subcommand("produce", "Send messages and measure throughput and acknowledgement latency.");
  AddCommon(*produce, *options);
  produce->add_option("-s,--size", options->size, "Bytes of a message body.")->check(CLI::Range(16, 4 << 20));
  produce->add_option("--batch", options->batch, "Messages in one request (SEND_BATCH_MESSAGE above 1).")->check(CLI::Range(1, 1024));
  produce->add_option("--topics", options->topics, "So many topics, TOPIC-0 and so on; the connections take them in turn.")->check(CLI::Range(1, 1000));
  produce->add_option("-r,--rate", options->rate, "Messages a second, open loop; latency counts from the intended time.");
  produce->add_option("-m,--messages", options->messages, "Stop after this many messages instead of --seconds.");

  CLI::Option* deliver_rate =
      produce->add_option("--deliver-rate", options->deliver_rate, "Timer messages: so many become due a second, one after the other.")->check(CLI::PositiveNumber);
  produce->add_option("--deliver-after", options->deliver_after_seconds, "The first of them so many seconds after the start.")
      ->needs(deliver_rate)
      ->check(CLI::NonNegativeNumber);

  CLI::App* consume = app.add_subcommand("consume", "Pull everything the topic holds and measure throughput.");
  AddCommon(*consume, *options);
  consume->add_option("-m,--messages", options->messages, "Stop after this many messages (default: when the backlog is drained).");

  CLI::App* tail = app.add_subcommand("tail", "Wait for new messages of `produce`, and measure how late they come: since they were sent, timer messages since they were due.");
  AddCommon(*tail, *options);

  CLI::App* latency = app.add_subcommand("latency", "Send at a fixed rate and measure the time until a waiting consumer has the message.");
  AddCommon(*latency, *options);
  latency->add_option("-s,--size", options->size, "Bytes of a message body.")->check(CLI::Range(16, 4 << 20));
  latency->add_option("-r,--rate", options->rate, "Messages a second, open loop; 2000 when not given.");

  CLI::App* null = app.add_subcommand("null", "A server that answers everything and stores nothing: the limit of sockets and load generator.");
  null->add_option("-p,--port", options->port, "Port on loopback; one that is free when not given.");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options->mode = null->parsed()      ? Mode::kNull
                  : produce->parsed() ? Mode::kProduce
                  : consume->parsed() ? Mode::kConsume
                  : tail->parsed()    ? Mode::kTail
                                      : Mode::kLatency;
  if (options->deliver_rate > 0 && options->batch > 1) return app.exit(CLI::ValidationError("--deliver-rate", "timer messages come one by one, not in a --batch"));
  if (options->mode == Mode::kLatency && options->rate <= 0) options->rate = 2000;
  return -1;
}

}  // namespace bench
