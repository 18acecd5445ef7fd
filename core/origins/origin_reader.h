// SPDX-License-Identifier: MIT
// What the origin log recorded, for surveys by root.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "survey/origin.h"

namespace snakepit::shm::origins {

// Where the log is: SNAKEPIT_SHM_ORIGINS_DIR, or /var/lib/snakepit-shm-origins.
std::string database_path();

// One thread.
class OriginReader final : public survey::OriginSource {
  public:
    // Null: there is no log, or it is not for this user. It is root's: what it says about other
    // users' processes is more than /proc tells them, so it must not be passed on.
    static std::unique_ptr<OriginReader> open(const std::string& path = database_path());
    ~OriginReader() override;

    bool catch_up(int directory) override;
    void be_seen(int directory) override;
    std::optional<survey::Origin> find(const survey::SegmentIdentity& segment) override;

  private:
    struct Private;
    explicit OriginReader(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm::origins
