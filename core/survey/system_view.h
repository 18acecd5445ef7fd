// SPDX-License-Identifier: MIT
// What verdicts ask about mounts, user ids and the kernel. Each answer is a part of a sentence; an
// empty one means no.
#pragma once

#include <cstdint>
#include <string>

#include "survey/origin.h"
#include "survey/process_view.h"

namespace snakepit::shm::survey {

class SystemView {
  public:
    virtual ~SystemView() = default;
    // Why owner and mode do not determine who may use the files of `device`: a mount may show them
    // with other ids.
    virtual std::string other_ids(std::uint64_t device) const = 0;
    // Why a process may get one of these ids later, without an administrator.
    virtual std::string later_ids(const Access& access) const = 0;
    // Why the kernel may use the file although no process has it.
    virtual std::string use_without_process(const HostSegment& segment) const = 0;
    // Whether no process is left in the control group or pid namespace of a recorded process.
    virtual Answer circle_ended(const RecordedProcess& process) const = 0;
};

}  // namespace snakepit::shm::survey
