// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/backend.h"

namespace snakepit::shm {

// Segments without a name (memfd). What stands for the name is a descriptor: ours, and a copy with
// a keeper so that the memory outlives us. Their size is sealed, their mode is 0600 before anybody
// else gets a descriptor, so that nobody of another user can open one again with more rights than
// he was handed it with.
// Thread-safe. Names begin with kAnonymousPrefix.
class MemfdSegments {
  public:
    // `keeper` may be null: they end with us then.
    explicit MemfdSegments(std::shared_ptr<DescriptorKeeper> keeper) : keeper_(std::move(keeper)) {}

    // Takes over what the keeper holds of an earlier manager.
    Status adopt();

    Result<Segment> create(const std::string& name, std::uint64_t size, Pages pages,
                           SegmentUse use);
    Status seal(const std::string& name);
    // A descriptor with the rights of `access` and no more.
    Result<Segment> open(const std::string& name, AccessMode access);
    Status remove(const std::string& name, const FileIdentity& expected);
    Status forget(const std::string& name);
    Result<SegmentInfo> inspect(const std::string& name);
    std::vector<SegmentInfo> list(std::string_view prefix);
    Keeping tend();

    // One of this kind, made here or by an earlier manager.
    static bool is_one(const Handle& handle);

  private:
    struct Known {
        Handle handle;
        FileIdentity identity;
        bool kept = false;
    };
    Known* find(const std::string& name);
    void keep(const std::string& name, Known& segment);
    void keep_all();
    void keep_rest();
    Status drop(const std::string& name);

    std::shared_ptr<DescriptorKeeper> keeper_;
    std::mutex mutex_;  // guards what follows, and the order in which the keeper is told
    std::unordered_map<std::string, Known> known_;
    std::string problem_;  // why the last descriptor that is not kept is not
};

}  // namespace snakepit::shm
