// SPDX-License-Identifier: MIT
// Where the terminal monitor looks: the registry file, so that watching costs the manager nothing.
#pragma once

#include "base/paths.h"
#include "top/snapshot.h"

namespace snakepit::shm::cli {

// Goes on with what was left while there is no manager, and with its successor's file when there
// is one. One thread.
class Source {
  public:
    static Result<Source> open(const InstancePaths& paths);
    Snapshot read();

  private:
    explicit Source(RegistryReader reader) : reader_(std::move(reader)) {}
    RegistryReader reader_;
    std::uint64_t last_sample_ = 0;
};

}  // namespace snakepit::shm::cli
