#pragma once

namespace core {

/// From now on an allocation (operator new) that the system refuses ends the process at once, with a line on stderr that says what to do: no code of ours goes on without memory
/// that it asked for, and what an end costs is what a crash costs. Call once, before the first thread.
void EndWhenOutOfMemory();

}  // namespace core
