// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

struct DatabaseCopied {
    std::string bytes;  // of a database file
    std::int64_t rows = 0;
};

// The newest `events` rows of an event database with the checkpoints among them, as of one moment:
// a database that EventReader opens. Made in memory.
Result<DatabaseCopied> copy_events(const std::string& path, std::int64_t events);

// A whole database, as of one moment. size_exceeds_limit when it has more than `most` bytes.
Result<DatabaseCopied> copy_database(const std::string& path, std::uint64_t most);

}  // namespace snakepit::shm
