// SPDX-License-Identifier: MIT
// The descriptor keeper: holds descriptors of memory without a name while no manager is running.
// Either systemd's descriptor store or a small process of our own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

struct KeptDescriptor {
    std::string name;
    Handle handle;
};

// Thread-safe. No call takes longer than a few seconds, whatever the keeper does.
class DescriptorKeeper {
  public:
    virtual ~DescriptorKeeper() = default;

    // Starts a keeper unless one is running. True: it is new and empty, so all descriptors must be
    // put again.
    virtual Result<bool> ensure() = 0;
    // After this returned the descriptor outlives this process. Replaces an existing name. Call
    // ensure() first.
    virtual Status put(const std::string& name, const Handle& descriptor) = 0;
    // After this returned the descriptor is not kept any more. An unknown name is not an error.
    virtual Status drop(const std::string& name) = 0;
    // Copies of all kept descriptors; the keeper continues to hold them. Empty if there is no
    // keeper. An error if the keeper does not respond: its descriptors must not be treated as lost
    // then.
    virtual Result<std::vector<KeptDescriptor>> take_all() = 0;
    // False: it has exited, or never existed.
    virtual bool alive() = 0;
    // Its display name: "process 4711", "systemd".
    virtual std::string name() const = 0;
};

// A process of our own, started when first needed, which listens at `socket` (a path in the
// instance's runtime directory). It exits when it holds nothing and no manager is connected, when
// the socket was removed, or when no manager connected for kKeeperPatienceMs.
std::shared_ptr<DescriptorKeeper> keeper_process(std::string socket);
inline constexpr std::int64_t kKeeperPatienceMs = 10 * 60 * 1000;

// The main loop of that process; `listener` is bound and listening. An error if it could not start.
Status run_keeper(Handle listener, const std::string& socket, std::int64_t patience_ms);

// The descriptor store of the systemd that started this service; null if it stores none. Only the
// first caller gets the stored descriptors: a process has one store.
std::shared_ptr<DescriptorKeeper> systemd_store();

}  // namespace snakepit::shm
