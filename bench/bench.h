#pragma once

namespace bench {

/// `ringmq bench ...`: parses `argv` (argv[0] is the word "bench"), runs the load against a RocketMQ broker (ours or the real one) and
/// prints the result. Returns the process's exit code: 0 done, 1 the load failed, 2 wrong usage.
int RunBench(int argc, char** argv);

}  // namespace bench
