// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "client/manager_client.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// A client of its own: it maps the region, copies, and gives the reference back.
class LiveBytes : public ByteSource {
  public:
    static Result<std::unique_ptr<ByteSource>> open(const std::string& instance,
                                                    const RegionId& id);
    Result<std::string> read(std::uint64_t offset, std::size_t size) override;

  private:
    LiveBytes(std::unique_ptr<ManagerClient> client, RegionInfo info)
        : client_(std::move(client)), info_(std::move(info)) {}

    std::unique_ptr<ManagerClient> client_;
    RegionInfo info_;
};

}  // namespace snakepit::shm::ui
