// SPDX-License-Identifier: MIT
// What keeps memory without a name alive while no manager runs: somebody who holds a descriptor of
// it. Either systemd's descriptor store or a small process of our own.
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

// Thread-safe. None of the calls takes longer than a few seconds, whatever the keeper does.
class DescriptorKeeper {
  public:
    virtual ~DescriptorKeeper() = default;

    // Makes sure that there is one. True: it is new and holds nothing, so that whatever it shall
    // keep has to be put again.
    virtual Result<bool> ensure() = 0;
    // Once this returned the descriptor outlives us. A name that is there already is replaced.
    // ensure() comes first.
    virtual Status put(const std::string& name, const Handle& descriptor) = 0;
    // Once this returned it is not kept any more. One that is not kept is no error.
    virtual Status drop(const std::string& name) = 0;
    // Copies of all it keeps; it goes on keeping them. Empty when there is no keeper. An error when
    // there is one that cannot be asked: what it keeps must not be taken for lost then.
    virtual Result<std::vector<KeptDescriptor>> take_all() = 0;
    // False: it ended, or there never was one.
    virtual bool alive() = 0;
    // Who it is, for people: "process 4711", "systemd".
    virtual std::string name() const = 0;
};

// A process of our own, which is started when it is first needed and listens at `socket` (a path
// in the instance's runtime directory). It ends when it holds nothing and no manager is there, when
// the socket is gone, or when no manager has come for kKeeperPatienceMs.
std::shared_ptr<DescriptorKeeper> keeper_process(std::string socket);
inline constexpr std::int64_t kKeeperPatienceMs = 10 * 60 * 1000;

// What that process does until one of these; `listener`: bound and listening. An error when it
// could not begin.
Status run_keeper(Handle listener, const std::string& socket, std::int64_t patience_ms);

// The descriptor store of the systemd that started us; null when it keeps none for us.
// What it hands over is for the first who asks: a process has one store.
std::shared_ptr<DescriptorKeeper> systemd_store();

}  // namespace snakepit::shm
